"""The dashboard: pages about forecasts, served by the API's process.

Belongs here: pages from reports and tables, who may see them, templates and styles.
Does not: computations (services, domain), SQL (warehouse), pictures (reporting/plots), Dagster.
"""
