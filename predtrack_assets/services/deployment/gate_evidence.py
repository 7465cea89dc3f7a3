"""Read what gates are judged by; `domain.deployment.judging.judge` judges it."""

from __future__ import annotations

from itertools import product

import numpy as np
import polars as pl

from predtrack_assets.domain.deployment import gates
from predtrack_assets.domain.deployment.judging import GateEvidence
from predtrack_assets.domain.numerics.types import Days, Ints
from predtrack_assets.services.deployment.track_records import GATED_KINDS, read_records
from predtrack_assets.settings import Settings
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.deployment import ab_tests
from predtrack_assets.warehouse.deployment import queries as store
from predtrack_assets.warehouse.market.epochs import Epoch


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


def gate_evidence(transaction: Transaction, epoch: Epoch, settings: Settings) -> GateEvidence:
    """Records, trials and live days of every model as known at the end of an epoch."""
    models = transaction.read(store.MODELS)
    names, own, candidates, retired = (
        found["model_id"].to_list()
        for found in (
            models,
            models.filter(scope="symbol"),
            models.filter(role="candidate"),
            models.filter(status="retired"),
        )
    )
    horizons = settings.gated_horizons
    live = live_days(transaction, epoch)
    counted = live if settings.evidence == "live" else None
    records = read_records(transaction, epoch, names, horizons, settings.benchmark, own, counted)
    tried = {cell: _tried(transaction, *cell) for cell in product(GATED_KINDS, horizons)}
    return GateEvidence(records, frozenset(candidates), frozenset(retired), tried, live)


def live_days(transaction: Transaction, epoch: Epoch) -> pl.DataFrame:
    """model_id, kind and trading_day of predictions committed before the fact."""
    return transaction.read(ab_tests.LIVE_DAYS, last=epoch.last)


def _tried(transaction: Transaction, kind: str, horizon: int) -> tuple[Days, Ints]:
    """Days on which configurations in the registry were tried, and how many until each."""
    found = transaction.read(store.TRIALS, kind=kind, horizon=horizon)
    days = found["day"].to_numpy().astype("datetime64[D]")
    return days, np.concatenate([[0], np.cumsum(found["trials"].to_numpy())]).astype(np.int64)
