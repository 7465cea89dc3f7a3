"""What is kept outside the database: artifacts and experiment tracking.

Belongs here: files and objects by address.
Does not: what is in them.
"""
