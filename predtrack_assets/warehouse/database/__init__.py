"""The server, migrations, transactions and bulk writes.

Belongs here: what works for every table alike.
Does not: statements of one room.
"""
