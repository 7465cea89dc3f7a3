"""The story of one symbol: accurate, degraded, retrained by the sensor, in shadow, gated, champion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest
from scipy.special import ndtr, ndtri

from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.automation.retraining import RETRAINING, build_retraining_sensor
from predtrack_assets.days import last_days_of
from predtrack_assets.definitions import build_definitions
from predtrack_assets.domain.features.feature_set import STANDARD
from predtrack_assets.domain.models.forecast import QUANTILE_LEVELS, QUANTILE_NAMES
from predtrack_assets.domain.time.calendar import as_of, calendar
from predtrack_assets.reporting.tables.decisions import champion_lines
from predtrack_assets.services.audit.verification import verify
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.features.store import FeatureRows, write_features
from predtrack_assets.warehouse.forecasts.ledger import seal
from predtrack_assets_tests import graph

pytestmark = pytest.mark.slow

SYMBOLS = ["S0", "S1", "S2", "S3"]
SICK = 3
VOLATILITY, FORESEEN = 0.012, 0.5
BIAS = np.log(1.12)  # how far off the pooled model is on the sick symbol once it has degraded
WARM, HEALTHY, DEGRADED, SHADOW, EVIDENCE = 110, 270, 25, 3, 270
SESSIONS = WARM + HEALTHY + DEGRADED + SHADOW + EVIDENCE + 10
DECISIONS = ["deployment/deployment_gates", "deployment/ab_tests", "deployment/deployments"]


@dataclass(frozen=True)
class Market:
    """Closing prices (T, 4) on days (T,), and what a gifted forecaster knows of the next return."""

    days: np.ndarray
    close: np.ndarray
    next_foreseen: np.ndarray

    def day(self, session: int) -> date:
        return self.days[session].item()


def market() -> Market:
    random = np.random.default_rng(5)
    sessions = calendar("XNYS").sessions
    start = int(np.searchsorted(sessions, np.datetime64("2020-06-01")))
    days = sessions[start : start + SESSIONS + 2]
    foreseen, noise = random.standard_normal((2, len(days), len(SYMBOLS))) * VOLATILITY
    moves = np.sqrt(FORESEEN) * foreseen + np.sqrt(1 - FORESEEN) * noise
    following = np.roll(np.sqrt(FORESEEN) * foreseen, -1, axis=0)
    return Market(days, 50 * np.exp(np.cumsum(moves, axis=0)), following)


def said(market: Market, model: str, span: range, median: np.ndarray) -> pl.DataFrame:
    """Predictions of price and direction, one session ahead; median (sessions, symbols), NaN: none."""
    rows, columns = np.nonzero(~np.isnan(median))
    session, middle = np.asarray(span)[rows], median[rows, columns]
    knows = np.sqrt(1 - FORESEEN) if model != "no_change" else 1.0
    left = VOLATILITY * knows
    price = market.close[session, columns]
    day, due = market.days[session], market.days[session + 1]
    constants = {
        "model_id": model, "horizon": 1, "sigma": VOLATILITY, "climatology": 0.5,
        "feature_digest": 0, "origin": "replay", "horizon_unit": "session",
    }  # fmt: skip
    common = (
        pl.DataFrame(
            {
                "symbol": np.array(SYMBOLS)[columns],
                "trading_day": day,
                "as_of": day.astype("datetime64[us]") + np.timedelta64(1, "D"),
                "due_day": due,
                "reference_price": price,
                "earliest_resolution_time": due.astype("datetime64[us]") + np.timedelta64(21, "h"),
            }
        )
        .with_columns(
            pl.col("as_of", "earliest_resolution_time").dt.replace_time_zone("UTC"),
            **{name: pl.lit(value) for name, value in constants.items()},
        )
        .with_columns(due_at="earliest_resolution_time")
    )
    quantiles = middle[:, None] + ndtri(QUANTILE_LEVELS) * left
    priced = common.with_columns(
        kind=pl.lit("price"),
        event=pl.lit("within_5pct"),
        confidence=pl.lit(ndtr(-np.log(0.95) / left) - ndtr(-np.log(1.05) / left)),
        predicted_price=pl.Series(price * np.exp(middle)),
        p_within_band=pl.lit(0.68),
        **{name: pl.Series(quantiles[:, k]) for k, name in enumerate(QUANTILE_NAMES)},
    )
    directed = common.with_columns(
        kind=pl.lit("direction"), event=pl.lit("up"), confidence=pl.Series(ndtr(middle / left))
    )
    frame = pl.concat([priced, directed], how="diagonal")
    absent = [c for c in tables.PREDICTIONS.columns if c not in frame.columns]
    return frame.with_columns(pl.lit(None).alias(c) for c in absent)


def write_down(url: str, market: Market, span: range, medians: dict[str, np.ndarray]) -> None:
    """Commit predictions to the ledger as the asset does, and let their outcomes fall due."""
    first, last = market.day(span[0]), market.day(span[-1])
    with Warehouse(url=url).transaction() as transaction:
        for model, median in medians.items():
            transaction.append(tables.PREDICTIONS, said(market, model, span, median))
        seal(transaction, first, last)
    graph.run(url, first, market.day(span[-1] + 1), ["forecasts/outcomes"])


@dataclass
class Story:
    """The database of the story, its Dagster instance and definitions."""

    url: str
    market: Market
    instance: dg.DagsterInstance
    definitions: dg.Definitions

    def tick(self) -> dg.SensorResult | Any:
        """One evaluation of the sensor, as the daemon makes it."""
        context = dg.build_sensor_context(
            instance=self.instance,
            instance_ref=self.instance.get_ref(),
            definitions=self.definitions,
            resources={"warehouse": Warehouse(url=self.url)},
        )
        return build_retraining_sensor(()).evaluate_tick(context)

    def execute(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """The run that a request asks for, tagged as the daemon tags it."""
        tags = {"dagster/sensor_name": RETRAINING, "dagster/run_key": str(request.run_key)}
        job = self.definitions.resolve_job_def("fit_symbols")
        return job.execute_in_process(
            instance=self.instance,
            partition_key=request.partition_key,
            run_config=request.run_config,
            tags=tags,
        )

    def champion(self, symbol: str, session: int) -> str | None:
        """Who is champion of a symbol's price at the end of a session."""
        found = graph.frame(
            self.url,
            "SELECT model_id FROM deployment.champion_for('price', 1, %s, %s)",
            *(symbol, as_of(self.market.day(session))),
        )
        return found.item() if len(found) else None


@pytest.fixture
def story(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Story]:
    """Bars, features and registered versions; nothing is fitted, predicted or decided."""
    monkeypatch.setenv("PREDTRACK_HORIZONS", "1")
    monkeypatch.setenv("PREDTRACK_FIRST_DAY", "2020-06-01")
    monkeypatch.setenv("PREDTRACK_MIN_TRAINING_SESSIONS", "60")
    monkeypatch.setenv("PREDTRACK_ARTIFACTS", str(tmp_path / "artifacts"))
    lived = market()
    graph.store_bars(
        database_url,
        pl.concat(
            pl.DataFrame(
                {
                    "symbol": symbol,
                    "date": lived.days,
                    **dict.fromkeys(["open", "high", "low", "close"], lived.close[:, k]),
                }
            )
            for k, symbol in enumerate(SYMBOLS)
        ).with_columns(pl.lit(1000.0).alias("volume"), pl.col("date").cast(pl.Date)),
    )
    graph.run_reference(database_url)
    plant_features(database_url, lived.days[WARM + HEALTHY - 90 :][: 90 + DEGRADED + SHADOW + 1])
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        resources = {"warehouse": Warehouse(url=database_url)}
        yield Story(database_url, lived, instance, build_definitions(resources=resources))


def plant_features(url: str, days: np.ndarray) -> None:
    n = len(days) * len(SYMBOLS)
    values = np.random.default_rng(7).normal(size=(n, len(STANDARD.columns)))
    symbols = np.tile(np.array(SYMBOLS, dtype=object), len(days))
    rows = FeatureRows(symbols, np.repeat(days, len(SYMBOLS)), values)
    with Warehouse(url=url).transaction() as transaction:
        write_features(transaction, STANDARD, rows, SYMBOLS, days[0].item(), days[-1].item())


def weeks(url: str, market: Market, last: int, sessions: int = 15) -> None:
    """The weekly decisions up to a session."""
    graph.run(url, market.day(last - sessions), market.day(last), DECISIONS)


def friday(market: Market, session: int) -> int:
    """The last session of the week of a session: a report day."""
    ends = last_days_of("W", market.days[:-5])
    return int(np.searchsorted(market.days, ends[np.searchsorted(ends, market.days[session])]))


def rows(url: str, query: str, *parameters: Any) -> list[dict[str, Any]]:
    return graph.frame(url, query, *parameters).to_dicts()


def test_from_degradation_to_redeployment(story: Story) -> None:
    url, lived = story.url, story.market
    gifted, still = lived.next_foreseen, np.zeros_like(lived.next_foreseen)

    # Accurate: the pooled version knows every symbol, passes its gate and becomes champion.
    healthy = range(WARM, WARM + HEALTHY)
    write_down(url, lived, healthy, {"pooled-v1": gifted[healthy], "no_change": still[healthy]})
    weeks(url, lived, healthy[-1] + 1)
    assert {story.champion(s, healthy[-1] + 1) for s in SYMBOLS} == {"pooled-v1"}
    assert story.champion("S3", healthy[-1] - 100) is None
    assert story.tick().skip_message == "the latest report flags no symbol"

    # Degraded: of one symbol it is suddenly far off, and the report says so.
    known = friday(lived, healthy[-1] + DEGRADED)
    degraded = range(healthy[-1] + 1, known)
    off = gifted.copy()
    off[degraded[0] :, SICK] += BIAS
    write_down(url, lived, degraded, {"pooled-v1": off[degraded], "no_change": still[degraded]})
    month = str(lived.days[degraded[0]].astype("datetime64[M]") - 1)
    graph.run_months(url, month, month)
    graph.run(url, lived.day(known - 7), lived.day(known), ["accuracy/symbol_accuracy"])

    # The sensor asks for a fit of that symbol, once; it is a partition from now on.
    tick = story.tick()
    (request,) = tick.run_requests
    (added,) = tick.dynamic_partitions_requests
    (report,) = rows(url, "SELECT period_end AS day, reason FROM accuracy.v_retraining_candidates")
    assert request.run_key == f"S3@pooled-v1@{report['day']}"
    assert added.partition_keys == [request.partition_key] == ["S3"]
    story.instance.add_dynamic_partitions("symbols", added.partition_keys)
    assert story.execute(request).success
    assert story.tick().skip_message == (
        "1 symbol flagged, 0 asked for now; S3: was fitted less than 21 sessions before the report"
    )

    # The fit, its run and its events carry the reason.
    fit = f"symbol-v1:S3@{report['day']}"
    (run,) = rows(url, "SELECT * FROM models.training_runs WHERE scope = 'S3'")
    assert run["triggered_by"] == "sensor"
    assert run["reason"] == f"pooled-v1, price within_5pct h1: {report['reason']}"
    (event,) = rows(url, "SELECT * FROM deployment.improvement_events WHERE event_type = 'retrain'")
    assert event["old_value"]["artifact_id"].startswith("pooled-v1@")
    assert (event["new_value"]["artifact_id"], event["trigger_reason"]) == (fit, run["reason"])
    assert event["performance_before"]["pooled-v1"]["price/within_5pct/h1"]["rate"] < 0.5
    (audited,) = rows(url, "SELECT * FROM audit.audit_trail WHERE event_type = 'retrain'")
    assert (audited["subject"], audited["payload"]["reason"]) == (fit, run["reason"])

    # In shadow: the fit predicts beside the pooled one, and changes nothing.
    shadow = range(known + 1, known + 1 + SHADOW)
    stages = ["forecasts/predictions", "forecasts/outcomes"]
    graph.run(url, lived.day(shadow[0]), lived.day(shadow[-1]), stages)
    speaking = rows(url, "SELECT DISTINCT symbol, artifact_id FROM forecasts.predictions"
                    " WHERE model_id = 'symbol-v1'")  # fmt: skip
    assert speaking == [{"symbol": "S3", "artifact_id": fit}]

    # Evidence: until it is long enough the gate is not passed, and the champion stays.
    evidence = range(shadow[-1] + 1, shadow[-1] + 1 + EVIDENCE)
    own = np.where(np.arange(len(SYMBOLS)) == SICK, gifted, np.nan)
    medians = {"symbol-v1": own, "pooled-v1": off, "no_change": still}
    write_down(url, lived, evidence, {model: m[evidence] for model, m in medians.items()})
    graph.run(url, lived.day(evidence[40]), lived.day(evidence[46]), ["accuracy/symbol_accuracy"])
    assert story.tick().skip_message == (
        "1 symbol flagged, 0 asked for now; S3: its own model is not flagged"
    )
    weeks(url, lived, evidence[100], 5)
    assert gate(url) == "insufficient_evidence"
    assert story.champion("S3", evidence[100]) == "pooled-v1"
    last = evidence[-1] + 1
    with graph.copy_of(url) as week_by_week:
        weeks(url, lived, last)
        for end in last_days_of("W", lived.days[last - 15 : last + 1]):
            graph.run(week_by_week, end.item(), end.item(), DECISIONS)
        assert graph.differences(graph.contents(url), graph.contents(week_by_week)) == {}
    assert gate(url) == "passed"
    assert {s: story.champion(s, last) for s in SYMBOLS} == {
        "S0": "pooled-v1", "S1": "pooled-v1", "S2": "pooled-v1", "S3": "symbol-v1",
    }  # fmt: skip
    assert story.champion("S3", evidence[100]) == "pooled-v1", "the past stays as it was"

    said_of_it = champion_lines(Warehouse(url=url))
    assert "  price h1:S3: symbol-v1 since" in said_of_it
    failing = "SELECT kind, model_id, signal FROM deployment.v_degradations WHERE scope = 'h1'"
    assert ("price", "pooled-v1", "failing_champion") in graph.frame(url, failing).rows()
    (told,) = rows(url, "SELECT * FROM deployment.v_retrainings")
    assert told["new_artifact"] == fit
    assert told["predicts_since"] == lived.day(shadow[0])
    assert told["latest_gates"]["price/h1:S3"] == "passed"
    assert "price/h1:S3" in told["champion_since"]
    after = told["performance_after"]
    assert after["symbol-v1"]["price/within_5pct/h1"]["rate"] > 0.9
    assert after["pooled-v1"]["price/within_5pct/h1"]["rate"] < 0.5
    with Warehouse(url=url).transaction() as transaction:
        verdict = verify(transaction)
    assert verdict.good
    assert verdict.rows_good == verdict.rows > 0
    assert verdict.events_good == verdict.events > 0


def gate(url: str) -> str:
    """The latest gate of the symbol's own model."""
    latest = (
        "SELECT gate_status FROM deployment.v_latest_gates WHERE (kind, scope) = ('price', 'h1:S3')"
    )
    return str(graph.frame(url, latest).item())
