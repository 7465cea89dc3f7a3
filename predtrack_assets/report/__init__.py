"""What is stored and how good it is, for people at a terminal.

Belongs here: tables and sentences made of rows.
Does not: how a figure is computed (domain), how it is read (warehouse), the commands (cli).
"""
