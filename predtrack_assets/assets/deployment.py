"""Deployment stage: gates, paired tests of challengers, and the champions that come of both."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import product
from typing import NamedTuple

import dagster as dg
import numpy as np
import polars as pl

from predtrack_assets.assets.forecasts.outcomes import outcomes
from predtrack_assets.assets.metadata import materialized
from predtrack_assets.assets.resources import Warehouse
from predtrack_assets.days import last_days_of
from predtrack_assets.domain.deployment import champions as promotion
from predtrack_assets.domain.deployment import gates, paired_forecasts
from predtrack_assets.domain.deployment.champions import (
    ChampionSelection,
    Deployment,
    Evidence,
    Level,
    PairedTest,
    State,
)
from predtrack_assets.domain.deployment.track_record import Record
from predtrack_assets.domain.statistics import e_process
from predtrack_assets.domain.time.calendar import as_of
from predtrack_assets.partitions import day_asset, day_multi_asset, window
from predtrack_assets.services.audit.record_run import record_run
from predtrack_assets.services.deployment import decisions
from predtrack_assets.services.deployment.track_records import (
    KINDS,
    predictions_with_outcomes,
    read_records,
    record_epochs,
    years,
)
from predtrack_assets.settings import Settings, get_settings
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.audit.ab_test_digests import digests_of_tests
from predtrack_assets.warehouse.database.transaction import Transaction, Written
from predtrack_assets.warehouse.deployment import ab_tests, improvements
from predtrack_assets.warehouse.deployment import queries as store
from predtrack_assets.warehouse.market.epochs import Epoch

PRICES = [dg.AssetKey(["market", "market_data"]), dg.AssetKey(["market", "corporate_actions"])]


def thresholds(settings: Settings) -> gates.Thresholds:
    """The limits that the settings ask for."""
    return gates.Thresholds(
        accuracy=settings.accuracy_threshold,
        market_outperformance=settings.market_outperformance_threshold,
        sharpe_ratio=settings.sharpe_ratio_min,
        max_drawdown=settings.max_drawdown_limit,
        calibration=settings.calibration_error_limit,
        min_effective=settings.gate_min_effective,
        min_sessions=settings.gate_min_sessions,
        level=settings.gate_level,
        risk_free_rate=settings.risk_free_rate,
    )


@day_asset(schema="deployment", deps=[outcomes, *PRICES], code_version="5")
def deployment_gates(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> dg.MaterializeResult:
    """Passed, failed or insufficient evidence: each model's own record, at the end of each week."""
    settings = get_settings()
    limits = thresholds(settings)
    asked = window(context)
    written = Written()
    with warehouse.transaction() as transaction:
        for epoch in record_epochs(transaction, asked.days, asked.opens):
            report_days = last_days_of("W", epoch.days)
            if not len(report_days):
                continue
            frame = _gates(transaction, epoch, report_days, limits, settings)
            new = transaction.append(tables.DEPLOYMENT_GATES, frame)
            if new.inserted:
                first = as_of(report_days[0].item())
                decisions.note_thresholds(transaction, limits.as_dict(), first)
                decisions.note_gates(transaction, frame)
            written += new
            context.log.info(f"{epoch.first} to {epoch.last}: {written.inserted:,} new gates")
    if written.conflicting:
        context.log.warning(
            f"{written.conflicting:,} gates of before would be judged otherwise today"
            " (other settings, trials or outcomes): what was decided stands"
        )
    return materialized(written)


def _gates(
    transaction: Transaction,
    epoch: Epoch,
    report_days: np.ndarray,
    limits: gates.Thresholds,
    settings: Settings,
) -> pl.DataFrame:
    """Gates of every model that is not retired, on each report day of an epoch.

    A version with a fit per symbol is judged on each symbol by itself. Retired versions are judged
    no more and stay among the trials: the best of ten is the best of ten whoever is still there.
    """
    models = transaction.read(store.MODELS)
    names, own, candidates, left = (
        found["model_id"].to_list()
        for found in (
            models,
            models.filter(scope="symbol"),
            models.filter(role="candidate"),
            models.filter(status="retired"),
        )
    )
    horizons = settings.gated_horizons
    live = _live_days(transaction, epoch)
    counted = live if settings.evidence == "live" else None
    records = read_records(transaction, epoch, names, horizons, settings.benchmark, own, counted)
    frames = []
    for kind, horizon in product(KINDS, horizons):
        known = [r for cell, r in records.items() if (cell.kind, cell.horizon) == (kind, horizon)]
        versions = _begun([r for r in known if r.model_id in candidates], report_days)
        trials = _trials(transaction, kind, horizon, report_days) + versions
        for of_one in (False, True):
            tried = [r for r in known if (r.symbol is not None) == of_one]
            judged = [r for r in tried if r.model_id not in left]
            retired = [r for r in tried if r.model_id in left]
            # Each symbol is one more draw from the lottery.
            count = trials + _begun(tried, report_days, each=True) if of_one else trials
            result = gates.evaluate(judged, report_days, limits, np.maximum(count, 1), retired)
            if not result.is_empty():
                frames.append(_as_rows(result, kind, horizon, limits))
    return _with_live(pl.concat(frames), live) if frames else pl.DataFrame()


def _with_live(rows: pl.DataFrame, live: pl.DataFrame) -> pl.DataFrame:
    """Gates with n_live: the days up to theirs of which the model's forecasts are live."""
    number = pl.col("trading_day").cum_count().over("model_id", "kind").alias("n_live")
    numbered = live.with_columns(number).sort("trading_day")
    found = rows.sort("as_of_day", maintain_order=True).join_asof(
        numbered,
        left_on="as_of_day",
        right_on="trading_day",
        by=["model_id", "kind"],
        check_sortedness=False,
    )
    return found.drop("trading_day").with_columns(pl.col("n_live").fill_null(0).cast(pl.Int64))


def _begun(records: Sequence[Record], report_days: np.ndarray, each: bool = False) -> np.ndarray:
    """Versions, or with `each` records, that had a result by each report day."""
    first: dict[tuple[str, str | None], np.datetime64] = {}
    for record in records:
        key = (record.model_id, record.symbol if each else None)
        first[key] = min(first.get(key, record.scores.days[0]), record.scores.days[0])
    days = np.sort(np.array(list(first.values()), "datetime64[D]"))
    return np.searchsorted(days, report_days, side="right")


def _trials(
    transaction: Transaction, kind: str, horizon: int, report_days: np.ndarray
) -> np.ndarray:
    """Configurations in the registry that were tried on data up to each report day."""
    found = transaction.read(store.TRIALS, kind=kind, horizon=horizon)
    days = found["day"].to_numpy().astype("datetime64[D]")
    running = np.concatenate([[0], np.cumsum(found["trials"].to_numpy())]).astype(np.int64)
    return running[np.searchsorted(days, report_days, side="right")]


def _as_rows(
    result: pl.DataFrame, kind: str, horizon: int, limits: gates.Thresholds
) -> pl.DataFrame:
    """Gates in the columns of their table."""
    values = {name: name for name in gates.CRITERIA} | {"calibration": "calibration_error"}
    criteria = pl.struct(gates.FIGURES).struct.json_encode()
    return result.with_columns(
        pl.lit(kind).alias("kind"),
        pl.lit(horizon).alias("horizon"),
        criteria.alias("criteria"),
        pl.lit(json.dumps(limits.as_dict())).alias("thresholds"),
        *(pl.col(name).struct.field("value").alias(column) for name, column in values.items()),
    )


@day_multi_asset(
    schema="deployment",
    specs=[
        dg.AssetSpec(
            "ab_tests",
            description="Champion against challengers on paired forecasts, by a betting e-process.",
            deps=[deployment_gates],
        ),
        dg.AssetSpec(
            "deployments",
            description="Champions: what passed its gate and beat the champion before it.",
            deps=[deployment_gates],
        ),
    ],
    code_version="4",
)
def champions(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult]:
    settings = get_settings()
    asked = window(context)
    tested, deployed = Written(), Written()
    with warehouse.transaction() as transaction:
        for epoch in record_epochs(transaction, asked.days, asked.opens):
            report_days = [day.item() for day in last_days_of("W", epoch.days)]
            if not report_days:
                continue
            sight = EvaluationContext(transaction, epoch, settings, _live_days(transaction, epoch))
            for kind, horizon in product(KINDS, settings.gated_horizons):
                walks = _walks(sight, kind, horizon)
                batches = transaction.read(ab_tests.COHORTS, kind=kind, scope=f"h{horizon}").item()
                promotion.select_champions([*walks.values()], report_days, batches)
                for scope, selection in walks.items():
                    states = _as_tests(
                        selection, scope, _begun_tests(transaction, scope, selection)
                    )
                    tested += transaction.append(tables.AB_TESTS, states)
                    deployed += _deploy(transaction, selection.deployed, scope)
            context.log.info(f"{epoch.first} to {epoch.last}: {deployed.inserted:,} deployments")
        span = (asked.start, asked.end)
        digests = digests_of_tests(transaction)
        record_run(transaction, "ab_test", tables.AB_TESTS, span, tested, context.run, digests)
        improvements.note_disabled(transaction, as_of(asked.end))
    yield materialized(tested, ["deployment", "ab_tests"])
    yield materialized(deployed, ["deployment", "deployments"])


class Scope(NamedTuple):
    """What there is a champion for: a kind and horizon, of one symbol or of all."""

    kind: str
    horizon: int
    symbol: str | None = None

    @property
    def name(self) -> str:
        """As stored: h5, h5:IBM."""
        return f"h{self.horizon}" + (f":{self.symbol}" if self.symbol else "")


class EvaluationContext(NamedTuple):
    """What an epoch is looked at with. live: model_id, kind, trading_day of what is live."""

    transaction: Transaction
    epoch: Epoch
    settings: Settings
    live: pl.DataFrame


def _live_days(transaction: Transaction, epoch: Epoch) -> pl.DataFrame:
    return transaction.read(ab_tests.LIVE_DAYS, last=epoch.last)


def _walks(sight: EvaluationContext, kind: str, horizon: int) -> dict[Scope, ChampionSelection]:
    """All symbols come first: theirs is the champion whom a symbol's own model has to beat."""
    of_all = _walk(sight, Scope(kind, horizon))
    walks = {Scope(kind, horizon): of_all}
    own = sight.transaction.read(
        store.JUDGED_SYMBOLS, kind=kind, horizon=horizon, last=sight.epoch.last
    )
    for symbol, since in own.iter_rows():
        scope = Scope(kind, horizon, symbol)
        walks[scope] = _walk(sight, scope, of_all.deployments, since)
    return walks


def _walk(
    sight: EvaluationContext, scope: Scope, wider: Sequence[Deployment] = (), since: date = date.min
) -> ChampionSelection:
    """Where one scope stands before the epoch, and how its tests are read."""
    transaction, epoch, settings, _ = sight
    cell = {"kind": scope.kind, "scope": scope.name}
    fits = "symbol" if scope.symbol else "pooled"
    models = transaction.read(store.MODELS).filter(role="candidate", scope=fits)
    models = models.filter(pl.col("status") != "retired")
    span = {"first": epoch.first, "last": epoch.last}
    passed = transaction.read(store.PASSED_GATES, **cell, **span)
    own = [Deployment(*row) for row in transaction.read(store.DEPLOYMENTS, **cell).iter_rows()]
    left = transaction.read(store.ROLLED_BACK, **cell).filter("judged")["model_id"].to_list()
    known: dict[PairedTest, Evidence] = {}

    def evidence(test: PairedTest) -> Evidence:
        if test not in known:
            known[test] = _evidence(sight, scope, test)
        return known[test]

    selection = ChampionSelection(
        treatments=models["model_id"].to_list(),
        deployments=own,
        wider=wider,
        evidence=evidence,
        passed={(day, model): gate for day, model, gate in passed.iter_rows()},
        finished={},
        barred=[*left, *models.filter(status="shadow")["model_id"]],
        automatic=settings.auto_deploy,
        since=since,
    )
    _resume(transaction, epoch, cell, selection)
    return selection


def _resume(
    transaction: Transaction, epoch: Epoch, cell: dict[str, str], selection: ChampionSelection
) -> None:
    """Tell a walk of the tests that began before."""
    champions = [*selection.deployments, *selection.wider]
    begun = transaction.read(ab_tests.BEGUN, **cell)
    for control, treatment, start, batch, threshold in begun.iter_rows():
        test = promotion.duel_of(control, treatment, start, champions)
        selection.begun[control, treatment] = test
        if batch is not None:
            selection.levels[test] = Level(batch, threshold)
    for control, treatment, day, *rest in transaction.read(ab_tests.FINISHED, **cell).iter_rows():
        selection.finished[selection.begun[control, treatment]] = (day, State(*rest))
    still = transaction.read(ab_tests.OPEN, **cell, first=epoch.first)
    for control, treatment, *rest in still.iter_rows():
        selection.open[selection.begun[control, treatment]] = State(*rest)


def _evidence(sight: EvaluationContext, scope: Scope, test: PairedTest) -> Evidence:
    """The course of a test over the forecasts that both sides made of the same symbols and days."""
    transaction, epoch, settings, live = sight
    first = transaction.read(store.PREDICTED_SPAN, last=epoch.last).item() or epoch.last
    kind, horizon, symbol = scope
    frames = []
    sides = [test.control, test.treatment]
    for begin, end in years(max(first, test.start), epoch.last):
        rows = predictions_with_outcomes(
            transaction, epoch, begin, end, [kind], [horizon], sides, symbol
        )
        score = "crps" if kind == "price" else "score"
        rows = rows.with_columns(pl.col(score).alias("score")).drop_nulls("score")
        control, treatment = (
            rows.filter(pl.col("model_id") == side) for side in (test.control, test.treatment)
        )
        if len(control) and len(treatment):
            frames.append(paired_forecasts.paired_differences(control, treatment, kind))
    empty = {"trading_day": pl.Date, "known_day": pl.Date, "d": pl.Float64}
    course = pl.concat(frames) if frames else pl.DataFrame(schema=empty)
    for side in sides:
        live_days = live.filter(kind=kind, model_id=side).select(
            "trading_day", pl.lit(True).alias(side)
        )
        course = course.join(live_days, on="trading_day", how="left", maintain_order="left")
    course = course.with_columns(live=pl.all_horizontal(pl.col(sides).fill_null(False)))
    return Evidence.of(course.filter("live") if settings.evidence == "live" else course, horizon)


def _begun_tests(
    transaction: Transaction, scope: Scope, selection: ChampionSelection
) -> dict[PairedTest, date]:
    """First days of the tests that are stored: a test keeps its own."""
    begun = transaction.read(ab_tests.BEGUN, kind=scope.kind, scope=scope.name)
    champions = [*selection.deployments, *selection.wider]
    return {
        promotion.duel_of(control, treatment, day, champions): day
        for control, treatment, day, *_ in begun.iter_rows()
    }


def _as_tests(
    selection: ChampionSelection, scope: Scope, begun: Mapping[PairedTest, date]
) -> pl.DataFrame:
    """The states of a walk's tests in the columns of their table.

    A test that counts all there is begins with the first decision date of which a result is known.
    """
    metric = "crps" if scope.kind == "price" else "brier"
    return pl.DataFrame(
        [
            {
                "as_of_day": day,
                "kind": scope.kind,
                "scope": scope.name,
                "control": test.control,
                "treatment": test.treatment,
                "start_day": begun.get(test) or _first_day(selection, test),
                "success_metric": metric,
                **state._asdict(),
                **_level(selection, test)._asdict(),
                "conclusion": promotion.conclusion(test, state),
            }
            for day, test, state in selection.states
        ],
        infer_schema_length=None,
    )


def _level(selection: ChampionSelection, test: PairedTest) -> Level:
    return selection.levels.get(test) or Level(None, e_process.PROMOTE_AT)


def _first_day(selection: ChampionSelection, test: PairedTest) -> date | None:
    return selection.evidence(test).first if test.start == promotion.BEGINNING else test.start


def _deploy(transaction: Transaction, deployed: list[Deployment], scope: Scope) -> Written:
    """Write new champions down; the database checks that each may be one."""
    for new in deployed:
        assert new.model_id, "only people retire a champion"
        decisions.deploy(
            transaction,
            kind=scope.kind,
            scope=scope.name,
            model_id=new.model_id,
            valid_from=new.valid_from,
            gate_id=new.gate_id,
            reason=new.reason,
        )
    return Written(inserted=len(deployed))
