"""One module per stage of the graph; an asset is read -> pure function -> write -> report.

Belongs here: Dagster asset definitions, thin.
Does not: formulas (domain), SQL (warehouse), checks (checks).
"""
