"""Where champions and their challengers stand before an epoch, and the decisions of its weeks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

import polars as pl

from predtrack_assets.domain.deployment import champions as selecting
from predtrack_assets.domain.deployment import paired_forecasts
from predtrack_assets.domain.deployment.champions import (
    ChampionSelection,
    Deployment,
    Evidence,
    Level,
    PairedTest,
    State,
)
from predtrack_assets.domain.models.kinds import KINDS
from predtrack_assets.domain.statistics import e_process
from predtrack_assets.services.deployment import decisions
from predtrack_assets.services.deployment.track_records import predictions_with_outcomes, years
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse.database.transaction import Transaction, Written
from predtrack_assets.warehouse.deployment import ab_tests
from predtrack_assets.warehouse.deployment import queries as store
from predtrack_assets.warehouse.market.epochs import Epoch


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
    """What an epoch is judged with. live: model_id, kind, trading_day of what is live."""

    transaction: Transaction
    epoch: Epoch
    settings: Settings
    live: pl.DataFrame


def selections_of(
    context: EvaluationContext, kind: str, horizon: int
) -> dict[Scope, ChampionSelection]:
    """All symbols come first: theirs is the champion whom a symbol's own model has to beat."""
    of_all = _selection_of(context, Scope(kind, horizon))
    selections = {Scope(kind, horizon): of_all}
    own = context.transaction.read(
        store.JUDGED_SYMBOLS, kind=kind, horizon=horizon, last=context.epoch.last
    )
    for symbol, since in own.iter_rows():
        scope = Scope(kind, horizon, symbol)
        selections[scope] = _selection_of(context, scope, of_all.deployments, since)
    return selections


def _selection_of(
    context: EvaluationContext,
    scope: Scope,
    wider: Sequence[Deployment] = (),
    since: date = date.min,
) -> ChampionSelection:
    """Where one scope stands before the epoch, and how its tests are read."""
    transaction, epoch, settings, _ = context
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
            known[test] = evidence_of(context, scope, test)
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
    """Tell a selection of the tests that began before."""
    champions = [*selection.deployments, *selection.wider]
    begun = transaction.read(ab_tests.BEGUN, **cell)
    for control, treatment, start, batch, threshold in begun.iter_rows():
        test = selecting.paired_test(control, treatment, start, champions)
        selection.begun[control, treatment] = test
        if batch is not None:
            selection.levels[test] = Level(batch, threshold)
    for control, treatment, day, *rest in transaction.read(ab_tests.FINISHED, **cell).iter_rows():
        selection.finished[selection.begun[control, treatment]] = (day, State(*rest))
    still = transaction.read(ab_tests.OPEN, **cell, first=epoch.first)
    for control, treatment, *rest in still.iter_rows():
        selection.open[selection.begun[control, treatment]] = State(*rest)


def evidence_of(context: EvaluationContext, scope: Scope, test: PairedTest) -> Evidence:
    """The course of a test over the forecasts that both sides made of the same symbols and days.

    no_change needs no forecasts of its own: what it predicts, and its score, follow from the rows of
    the treatment. It counts as live where they do.
    """
    transaction, epoch, settings, live = context
    first = transaction.read(store.PREDICTED_SPAN, last=epoch.last).item() or epoch.last
    kind, horizon, symbol = scope
    frames = []
    stays = test.control == selecting.DEFAULT_CONTROL
    sides = [test.treatment] if stays else [test.control, test.treatment]
    for begin, end in years(max(first, test.start), epoch.last):
        rows = predictions_with_outcomes(
            transaction, epoch, begin, end, [kind], [horizon], sides, symbol
        )
        rule = "crps" if KINDS[kind].score == "crps" else "brier"
        beside = pl.col(f"{rule}_no_change").alias("loss_no_change")
        rows = rows.with_columns(beside, pl.col(rule).alias("loss")).drop_nulls("loss")
        treatment = rows.filter(model_id=test.treatment)
        control = (
            paired_forecasts.no_change_forecasts(treatment)
            if stays
            else rows.filter(model_id=test.control)
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


def begun_tests(
    transaction: Transaction, scope: Scope, selection: ChampionSelection
) -> dict[PairedTest, date]:
    """First days of the tests that are stored: a test keeps its own."""
    begun = transaction.read(ab_tests.BEGUN, kind=scope.kind, scope=scope.name)
    champions = [*selection.deployments, *selection.wider]
    return {
        selecting.paired_test(control, treatment, day, champions): day
        for control, treatment, day, *_ in begun.iter_rows()
    }


def ab_test_rows(
    selection: ChampionSelection, scope: Scope, begun: Mapping[PairedTest, date]
) -> pl.DataFrame:
    """The states of a selection's tests in the columns of their table.

    A test that counts all there is begins with the first decision date of which a result is known.
    """
    metric = KINDS[scope.kind].score
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
                "conclusion": selecting.conclusion(test, state),
            }
            for day, test, state in selection.states
        ],
        infer_schema_length=None,
    )


def _level(selection: ChampionSelection, test: PairedTest) -> Level:
    return selection.levels.get(test) or Level(None, e_process.PROMOTE_AT)


def _first_day(selection: ChampionSelection, test: PairedTest) -> date | None:
    return selection.evidence(test).first if test.start == selecting.BEGINNING else test.start


def deploy_champions(transaction: Transaction, deployed: list[Deployment], scope: Scope) -> Written:
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
