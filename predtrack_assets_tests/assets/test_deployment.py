"""From predictions to a champion: a planted good model, beside the baseline, through the assets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import psycopg
import pytest
from psycopg import sql
from scipy.special import ndtr, ndtri

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.domain.deployment.champions import BEGINNING, Evidence, PairedTest
from predtrack_assets.domain.deployment.gates import FAILED, INSUFFICIENT, PASSED
from predtrack_assets.domain.deployment.paired_forecasts import paired_differences
from predtrack_assets.domain.models.forecast import QUANTILE_LEVELS, QUANTILE_NAMES
from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.reporting.plots.accuracy import leading
from predtrack_assets.services.deployment import decisions
from predtrack_assets.services.deployment.champion_weeks import (
    EvaluationContext,
    Scope,
    evidence_of,
)
from predtrack_assets.services.deployment.gate_evidence import live_days
from predtrack_assets.services.deployment.track_records import predictions_with_outcomes
from predtrack_assets.settings import get_settings
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.audit import decision_records
from predtrack_assets.warehouse.deployment import queries
from predtrack_assets.warehouse.forecasts.ledger import seal
from predtrack_assets.warehouse.market.epochs import Epoch
from predtrack_assets_tests import graph

pytestmark = pytest.mark.slow

FIRST, SESSIONS, SYMBOLS, HORIZON = date(2021, 1, 4), 520, 10, 5
DECISIONS = ["deployment/deployment_gates", "deployment/ab_tests", "deployment/deployments"]
VOLATILITY, FORESEEN = 0.012, 0.35


def days() -> np.ndarray:
    sessions = calendar("XNYS").sessions
    start = int(np.searchsorted(sessions, np.datetime64(FIRST)))
    return sessions[start : start + SESSIONS]


def market() -> tuple[np.ndarray, np.ndarray]:
    """Closing prices (T, S), and what a gifted forecaster knows of each next day's log return."""
    random = np.random.default_rng(11)

    def moves(share: float) -> np.ndarray:
        common, own = (random.standard_normal((SESSIONS, n)) for n in (1, SYMBOLS))
        return VOLATILITY * np.sqrt(share) * (np.sqrt(0.3) * common + np.sqrt(0.7) * own)

    foreseen = moves(FORESEEN)
    return 50 * np.exp(np.cumsum(foreseen + moves(1 - FORESEEN), axis=0)), foreseen


def said_by(model: str, close: np.ndarray, median: np.ndarray, left: float) -> pl.DataFrame:
    """Predictions of price and direction for every symbol and day but the last ones."""
    trading = days()
    rows, columns = median.shape
    flat = median.ravel()
    day, due = (np.repeat(trading[k : rows + k], columns) for k in (0, HORIZON))
    quantiles = flat[:, None] + ndtri(QUANTILE_LEVELS) * left
    price = close[:rows].ravel()
    common = pl.DataFrame(
        {
            "model_id": [model] * flat.size,
            "symbol": [f"S{k}" for k in range(columns)] * rows,
            "trading_day": day,
            "as_of": day.astype("datetime64[us]") + np.timedelta64(1, "D"),
            "horizon": np.full(flat.size, HORIZON),
            "due_day": due,
            "reference_price": price,
            "sigma": np.full(flat.size, VOLATILITY),
            "climatology": np.full(flat.size, 0.5),
            "feature_digest": np.zeros(flat.size, np.int64),
            "earliest_resolution_time": due.astype("datetime64[us]") + np.timedelta64(21, "h"),
            "origin": ["replay"] * flat.size,
            "horizon_unit": ["session"] * flat.size,
        }
    ).with_columns(pl.col("as_of", "earliest_resolution_time").dt.replace_time_zone("UTC"))
    common = common.with_columns(due_at="earliest_resolution_time")
    within = ndtr(-np.log(0.95) / left) - ndtr(-np.log(1.05) / left)
    priced = common.with_columns(
        kind=pl.lit("price"),
        event=pl.lit("within_5pct"),
        confidence=pl.lit(within),
        predicted_price=pl.Series(price * np.exp(flat)),
        p_within_band=pl.lit(0.68),
        **{n: pl.Series(quantiles[:, k]) for k, n in enumerate(QUANTILE_NAMES)},
    )
    directed = common.with_columns(
        kind=pl.lit("direction"), event=pl.lit("up"), confidence=pl.Series(ndtr(flat / left))
    )
    frame = pl.concat([priced, directed], how="diagonal")
    absent = [c for c in tables.PREDICTIONS.columns if c not in frame.columns]
    return frame.with_columns(pl.lit(None).alias(c) for c in absent)


@pytest.fixture
def planted(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Bars, and the predictions of `gifted` and of `no_change`, with their outcomes."""
    monkeypatch.setenv("PREDTRACK_GATE_HORIZONS", str(HORIZON))
    close, foreseen = market()
    columns = ["open", "high", "low", "close"]
    graph.store_bars(
        database_url,
        pl.concat(
            pl.DataFrame({"symbol": f"S{k}", "date": days(), **dict.fromkeys(columns, close[:, k])})
            for k in range(SYMBOLS)
        ).with_columns(pl.lit(1000.0).alias("volume"), pl.col("date").cast(pl.Date)),
    )
    graph.execute(
        database_url,
        "INSERT INTO models.model_registry (model_id, model_name, version, role, kinds, description)"
        " VALUES ('gifted', 'gifted', 1, 'candidate', '{price,direction}', 'knows'),"
        " ('no_change', 'no_change', 1, 'baseline', '{price,direction}', 'stays')",
    )
    ahead = np.lib.stride_tricks.sliding_window_view(foreseen, HORIZON, axis=0)[1:].sum(axis=-1)
    spread = VOLATILITY * np.sqrt(HORIZON)
    with Warehouse(url=database_url).transaction() as transaction:
        for said in (
            said_by("gifted", close, ahead, spread * np.sqrt(1 - FORESEEN)),
            said_by("no_change", close, np.zeros_like(ahead), spread),
        ):
            transaction.append(tables.PREDICTIONS, said)
        seal(transaction)  # as the run of a model of ours does
    graph.run(database_url, FIRST, last_day(), ["forecasts/outcomes"])
    return database_url


def last_day() -> date:
    return days()[-1].item()


def statuses(url: str, model: str, kind: str) -> list[tuple[date, str]]:
    return graph.frame(
        url,
        "SELECT as_of_day, gate_status FROM deployment.deployment_gates"
        " WHERE model_id = %s AND kind = %s ORDER BY as_of_day",
        *(model, kind),
    ).rows()


def champions(url: str, at: datetime) -> set[tuple[str, str]]:
    found = Warehouse(url=url).read(queries.CHAMPIONS_AT, at=at)
    return set(found.select("kind", "model_id").iter_rows())


def test_a_good_model_becomes_champion_when_its_evidence_is_long_enough(planted: str) -> None:
    with graph.copy_of(planted) as in_pieces:
        graph.run(planted, FIRST, last_day(), DECISIONS)
        split = days()[-8].item()
        graph.run(in_pieces, FIRST, split - timedelta(days=1), DECISIONS)
        graph.run_day_by_day(in_pieces, split, last_day(), DECISIONS)
        rows = graph.contents(planted)
        assert graph.differences(rows, graph.contents(in_pieces)) == {}

    assert graph.off_the_record(planted, "forecasts.outcomes", "deployment.ab_tests") == {}
    course = statuses(planted, "gifted", "price")
    year = days()[252].item()
    assert {status for day, status in course if day < year} == {INSUFFICIENT}
    assert course[-1][1] == PASSED
    assert {s for _, s in statuses(planted, "no_change", "price")} == {INSUFFICIENT, FAILED}

    decided = "SELECT max(decided_day) FROM deployment.ab_tests WHERE (kind, status) = ('price', 'promoted')"
    won = graph.frame(planted, decided).item()
    first = next(day for day, status in course if status == PASSED and day >= won)
    moment = datetime.combine(first + timedelta(days=1), datetime.min.time(), UTC)
    assert champions(planted, moment) >= {("price", "gifted")}, "gate passed, and test won"
    with Warehouse(url=planted).transaction() as transaction:
        assert leading(transaction, moment.date(), 5)["price"] == ["gifted"]
    assert ("price", "gifted") not in champions(planted, moment - timedelta(seconds=1))
    tests = graph.frame(
        planted, "SELECT DISTINCT control, treatment, status FROM deployment.ab_tests"
    )
    starts = (
        "SELECT min(start_day), max(start_day) FROM deployment.ab_tests WHERE control = 'no_change'"
    )
    assert graph.frame(planted, starts).row(0) == (FIRST, FIRST), "the first forecasts of both"
    assert ("no_change", "gifted", "promoted") in tests.rows()
    with psycopg.connect(planted) as connection:
        events = connection.execute(
            "SELECT event_type, count(*) FROM deployment.improvement_events GROUP BY 1"
        ).fetchall()
    assert dict(events)["model_deployed"] == len(rows["deployment.deployments"])
    assert dict(events)["threshold_change"] == 1

    warehouse = Warehouse(url=planted)
    with warehouse.transaction() as transaction:
        recorded = decision_records.decisions(transaction)
        back = decisions.roll_back(transaction, kind="price", scope="h5", reason="wrong", by="ann")
    assert recorded["fault"].is_null().all()
    weeks = {str(day) for day, _ in course}
    assert weeks <= set(recorded.filter(what="gates of")["id"])
    assert back == ("gifted", None)

    again = graph.run(planted, FIRST, last_day(), DECISIONS)
    assert graph.changed(again) == {}
    assert ("price", "gifted") not in champions(planted, datetime.now(UTC)), "it stays rolled back"
    assert ("price", "gifted") in champions(planted, moment), "as it was"


@pytest.mark.parametrize("kind", ["price", "direction"])
def test_no_change_needs_no_forecasts_of_its_own(planted: str, kind: str) -> None:
    """A test against it is the same by its own forecasts, and by what outcomes say of it."""
    epoch, cell = Epoch(days(), FIRST), ([kind], [HORIZON])
    warehouse = Warehouse(url=planted)
    with warehouse.transaction() as transaction:
        rows = predictions_with_outcomes(
            transaction, epoch, FIRST, last_day(), *cell, ["gifted", "no_change"]
        )
    loss = {"price": "crps", "direction": "brier"}[kind]
    rows = rows.with_columns(loss=pl.col(loss)).drop_nulls("loss")
    control, treatment = (rows.filter(model_id=model) for model in ("no_change", "gifted"))
    expected = Evidence.of(paired_differences(control, treatment, kind), HORIZON)

    with psycopg.connect(planted) as connection:
        connection.execute("SET session_replication_role = replica")
        for table in ("predictions", "outcomes", "prediction_batches"):
            name = sql.Identifier("forecasts", table)
            connection.execute(sql.SQL("DELETE FROM {} WHERE model_id = 'no_change'").format(name))
    with warehouse.transaction() as transaction:
        live = live_days(transaction, epoch)
        context = EvaluationContext(transaction, epoch, get_settings(), live)
        test = PairedTest("no_change", "gifted", BEGINNING)
        found = evidence_of(context, Scope(kind, HORIZON), test)
    assert found.first == expected.first == FIRST
    assert len(found.d) == SESSIONS - HORIZON
    for name in ("known", "d", "better", "worse", "live"):
        assert (getattr(found, name) == getattr(expected, name)).all(), name


def test_what_is_not_deployed_by_itself_is_only_tested(
    planted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDTRACK_AUTO_DEPLOY", "false")
    monkeypatch.setenv("PREDTRACK_ACCURACY_THRESHOLD", "0.6")
    graph.run(planted, FIRST, last_day(), DECISIONS)
    assert statuses(planted, "gifted", "price")[-1][1] == PASSED
    assert graph.frame(planted, "SELECT FROM deployment.deployments").is_empty()
    stored = "SELECT DISTINCT thresholds ->> 'accuracy' FROM deployment.deployment_gates"
    assert graph.frame(planted, stored).rows() == [("0.6",)]


def test_neither_a_retired_trial_nor_a_refused_cell_is_forgotten(
    planted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two versions were tried, one is retired since; the other left out what it was refused."""
    monkeypatch.setenv("PREDTRACK_GATE_LEVEL", "0.99")
    registry = "UPDATE models.model_registry SET {} WHERE model_id = %s"
    graph.execute(planted, registry.format("status = 'retired'"), "gifted")
    graph.execute(planted, registry.format("role = 'candidate'"), "no_change")
    graph.execute(
        planted,
        "INSERT INTO models.model_registry (model_id, model_name, version, role, kinds, description)"
        " VALUES ('idea', 'idea', 1, 'candidate', '{price}', 'has said nothing yet')",
    )
    refuse = (
        "INSERT INTO forecasts.skipped_predictions"
        " (model_id, kind, symbol, trading_day, as_of, horizon, reason, payload)"
        " SELECT 'no_change', 'price', %s, trading_day, as_of, horizon, 'not_finite', '{}'"
        " FROM forecasts.predictions WHERE (model_id, kind, symbol) = ('no_change', 'price', 'S0')"
    )
    graph.execute(planted, refuse, "S0")  # written since
    graph.execute(planted, refuse, "X0")
    graph.run(planted, FIRST, last_day(), DECISIONS[:1])
    assert statuses(planted, "gifted", "price") == [], "it is judged no more"
    last = graph.frame(
        planted,
        "SELECT DISTINCT ON (kind) kind, trial_count, gate_status, failure_reasons,"
        " (criteria #>> '{coverage,value}')::float AS coverage FROM deployment.deployment_gates"
        " WHERE model_id = 'no_change' ORDER BY kind, as_of_day DESC",
    )
    assert last["trial_count"].to_list() == [2, 2]
    direction, price = last.sort("kind").iter_rows(named=True)
    assert direction["coverage"] == 1
    assert price["coverage"] == pytest.approx(SYMBOLS / (SYMBOLS + 1), abs=0.01)
    assert price["failure_reasons"][-1].startswith("coverage insufficient_evidence: ")
    assert not any(reason.startswith("coverage") for reason in direction["failure_reasons"])
    stored = "SELECT DISTINCT thresholds ->> 'level' FROM deployment.deployment_gates"
    changed = "SELECT new_value ->> 'level' FROM deployment.improvement_events"
    for said in (stored, changed):
        assert graph.frame(planted, said).rows() == [("0.99",)]


def test_only_what_was_committed_in_time_counts_as_live(
    planted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a replay nothing is live; a ledger that says so of the last 300 days is believed."""
    monkeypatch.setenv("PREDTRACK_EVIDENCE", "live")
    late = days()[-60].item()
    graph.run(planted, late, last_day(), DECISIONS)
    assert graph.frame(planted, "SELECT FROM deployment.deployment_gates").is_empty()
    assert graph.frame(planted, "SELECT FROM deployment.ab_tests").is_empty()

    since = days()[-300].item()
    with psycopg.connect(planted) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM forecasts.prediction_batches")
        connection.execute(
            "INSERT INTO forecasts.prediction_batches SELECT row_number() OVER (), model_id, kind,"
            " trading_day, now(), 1, CASE WHEN trading_day >= %s THEN 'live' ELSE 'replay' END, encoding,"
            " now(), hash, hash, sha256(convert_to(model_id || kind || trading_day, 'UTF8')),"
            " substr(hash, 1, 16), hash"
            " FROM (SELECT DISTINCT model_id, kind, trading_day FROM forecasts.predictions) p,"
            " (SELECT encoding, encoding AS hash FROM audit.row_encodings LIMIT 1) e",
            (since,),
        )
    graph.run(planted, late, last_day(), DECISIONS)
    tests = (
        "SELECT min(start_day) AS first, max(n) AS n, max(n_live) AS live FROM deployment.ab_tests"
    )
    ((first, n, live),) = graph.frame(planted, tests + " WHERE kind = 'price'").rows()
    assert first >= since
    assert n == live > 0
    judged = "SELECT max(n_live) AS live FROM deployment.deployment_gates"
    assert graph.frame(planted, judged).item() == 300 - HORIZON
