"""The success metrics of the requirements, measured on what is stored."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

SUCCESS_METRICS = Query("""
    SELECT metric, subject, target, value, n, n_eff, status FROM accuracy.v_success_metrics
""")
