"""The HTTP API: versioned routes over services, keys, problem+json.

Belongs here: what a request may hold, what it is answered, who may ask.
Does not: computations (services, domain), SQL (warehouse), Dagster.
"""
