"""Small ledgers: predictions on a few days, written and sealed as the asset does."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import polars as pl
import psycopg

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.domain.forecasts.predict import PREDICTIONS as COLUMNS
from predtrack_assets.services.audit.verification import Verdict, verify
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.forecasts.ledger import Sealed, seal

FIRST = date(2020, 3, 2)
EVENTS = {"price": "within_5pct", "direction": "up", "time_to_hit": "hit"}


def predictions(
    days: int = 3,
    symbols: tuple[str, ...] = ("AAA", "BBB", "CCC"),
    models: tuple[str, ...] = ("one-1", "two-1"),
    first: date = FIRST,
    resolvable: datetime | None = None,
) -> pl.DataFrame:
    """Predictions of every kind and two horizons for each model, symbol and consecutive day.

    resolvable: when all outcomes can be known, instead of 21:00 UTC of the due day.
    """
    rows = []
    for number in range(days):
        day = first + timedelta(days=number)
        for at, (model, symbol) in enumerate((m, s) for m in models for s in symbols):
            for kind, event in EVENTS.items():
                for horizon in (1, 5):
                    due = day + timedelta(days=horizon)
                    known = datetime(due.year, due.month, due.day, 21, tzinfo=UTC)
                    as_of = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
                    rows.append(
                        {
                            "trading_day": day, "symbol": symbol, "model_id": model, "kind": kind,
                            "horizon": horizon, "horizon_unit": "session", "as_of": as_of, "due_day": due,
                            "due_at": known, "event": event,
                            "confidence": 0.25 + at / 100, "reference_price": 100.0 + number,
                            "sigma": 0.02, "climatology": 0.5, "feature_digest": at - 3,
                            "earliest_resolution_time": resolvable or known,
                            "origin": "live" if resolvable else "replay",
                            **_of_kind(kind, number),
                        }
                    )  # fmt: skip
    frame = pl.DataFrame(rows, schema={**COLUMNS, "origin": pl.String()})
    return frame.select(list(tables.PREDICTIONS.columns))


def _of_kind(kind: str, number: int) -> dict[str, object]:
    if kind == "price":
        return {
            "predicted_price": (100.0 + number) * math.exp(0.001), "q05": -0.03, "q10": -0.02,
            "q25": -0.01, "q50": 0.001, "q75": 0.01, "q90": 0.02, "q95": 0.03, "p_within_band": 0.6,
        }  # fmt: skip
    if kind == "time_to_hit":
        hit = {"side": "above", "hit_rule": "touch", "predicted_days": 0.5}
        return {"target_price": 150.0, **hit}
    return {}


def register(url: str, *frames: pl.DataFrame) -> None:
    """Make the models and symbols of the frames known, where they are not; every day is a session."""
    names = pl.concat(
        [pl.DataFrame(schema={"model_id": pl.String, "symbol": pl.String})]
        + [frame.select("model_id", "symbol") for frame in frames]
    )
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO models.model_registry (model_id, model_name, version, role, kinds, description)"
            " SELECT m, m, 1, 'candidate', '{price,direction,time_to_hit}', 'x' FROM unnest(%s::text[]) m"
            " ON CONFLICT DO NOTHING",
            [names["model_id"].unique().to_list()],
        )
        connection.execute(
            "INSERT INTO market.symbols (symbol, exchange, asset_class, source)"
            " SELECT s, '24/7', 'crypto', 'test' FROM unnest(%s::text[]) s ON CONFLICT DO NOTHING",
            [names["symbol"].unique().to_list()],
        )


def commit(url: str, *frames: pl.DataFrame) -> Sealed:
    """Append and seal in one transaction, as a run does, with models and symbols made known."""
    register(url, *frames)
    with Warehouse(url=url).transaction() as transaction:
        for frame in frames:
            transaction.append(tables.PREDICTIONS, frame)
        return seal(transaction)


def verdict_of(url: str) -> Verdict:
    with Warehouse(url=url).transaction() as transaction:
        return verify(transaction)


def first_fault(url: str) -> tuple[int | None, str]:
    """Index and fault of the first finding."""
    found = verdict_of(url).findings
    assert len(found), "nothing was found"
    return found["batch_index"][0], found["fault"][0]


@contextmanager
def attacker(url: str) -> Iterator[psycopg.Connection]:
    """A superuser's connection with triggers and foreign keys off; committed at the end."""
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        yield connection
