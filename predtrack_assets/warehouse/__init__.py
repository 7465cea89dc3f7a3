"""The only place with SQL: the embedded server, migrations, tables, queries, transactions.

Belongs here: everything that connects to PostgreSQL.
Does not: decisions about the market or about scores (domain), or anything of Dagster but the resource.
"""
