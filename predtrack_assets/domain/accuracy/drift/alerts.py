"""When an alert opens and when it closes: one for each drift, however many reports see it.

An alert is open on a report day if something decisive drifted then, or so lately that the current
windows still share days. So its state is a function of the stored metrics; only changes against
raised alerts are raised, each once.
"""

from __future__ import annotations

import polars as pl

from predtrack_assets.domain.numerics.types import Days

SUBJECT = ["subject", "name", "model_id", "kind", "horizon"]
REASON = ["statistic", "value", "critical_value", "p_value"]
DECISIVE = ("psi", "missing", "e_value")
"""KS and Jensen-Shannon say the same as PSI in other words; estimates decide nothing."""

OPENED, CLOSED = "opened", "closed"
_ID = "alert"


def transitions(
    drifted: pl.DataFrame, recorded: pl.DataFrame, report_days: Days, calm_days: int
) -> pl.DataFrame:
    """What is to be added to accuracy.drift_alerts on sorted report days.

    drifted: SUBJECT, as_of_day, REASON, p_adjusted of what drifted by a DECISIVE statistic since
    `calm_days` before the first report; raised: SUBJECT, as_of_day, event, the last alert of each day.
    """
    signs = _identified(drifted).sort("p_adjusted", "p_value", "statistic", nulls_last=True)
    signs = signs.unique([_ID, "as_of_day"], keep="first").sort("as_of_day")
    words = _identified(recorded).sort("as_of_day")
    subjects = pl.concat([signs.select(_ID, *SUBJECT), words.select(_ID, *SUBJECT)]).unique(_ID)
    days = pl.DataFrame({"as_of_day": report_days}).with_columns(pl.col("as_of_day").cast(pl.Date))
    grid = days.join(subjects, how="cross").sort("as_of_day", _ID)
    found = grid.join_asof(
        signs.select(_ID, "as_of_day", pl.col("as_of_day").alias("seen"), *REASON),
        on="as_of_day",
        by=_ID,
        check_sortedness=False,
    )
    lately = (pl.col("as_of_day") - pl.col("seen")).dt.total_days() < calm_days
    found = found.with_columns(event=pl.when(lately).then(pl.lit(OPENED)).otherwise(pl.lit(CLOSED)))
    found = found.join(
        words.select(_ID, "as_of_day", word="event"), on=[_ID, "as_of_day"], how="left"
    )
    first = days["as_of_day"].min()
    before = words.filter(pl.col("as_of_day") < first).unique(_ID, keep="last", maintain_order=True)
    found = found.join(before.select(_ID, earlier="event"), on=_ID, how="left")
    found = found.sort(_ID, "as_of_day").with_columns(
        pl.coalesce("word", pl.col("event").shift(1).over(_ID), "earlier", pl.lit(CLOSED)).alias(
            "stood"
        )
    )
    opened = pl.col("event") == OPENED
    severity = pl.when(pl.col("subject") == "performance").then(pl.lit("critical"))
    return (
        found.filter(pl.col("event") != pl.col("stood"))
        .with_columns(
            severity.otherwise(pl.lit("warning")).alias("severity"),
            *(pl.when(opened).then(pl.col(name)).alias(name) for name in REASON),
        )
        .select("as_of_day", *SUBJECT, "event", "severity", *REASON)
        .sort("as_of_day", *SUBJECT, nulls_last=True)
    )


def _identified(rows: pl.DataFrame) -> pl.DataFrame:
    """With a text that names the subject: missing models are equal."""
    parts = [pl.col(name).cast(pl.String).fill_null("") for name in SUBJECT]
    return rows.with_columns(pl.concat_str(parts, separator="|").alias(_ID))
