"""Pages for people: one self-contained HTML file from a record.

Belongs here: HTML around tables and pictures.
Does not: queries, statistics, scripts, anything from another host.
"""
