"""Pictures for asset metadata, pages and reports.

Belongs here: figures from frames, and how they become metadata.
Does not: statistics.
"""
