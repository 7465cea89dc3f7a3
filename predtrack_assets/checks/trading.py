"""The checks of paper books: R1 to R12, and what must hold of signals, weights and performance."""

from __future__ import annotations

import polars as pl

from predtrack_assets.checks.engine.adapter import Profile
from predtrack_assets.checks.engine.factory import Suite
from predtrack_assets.checks.engine.profiles import per_day, span_of
from predtrack_assets.checks.engine.rules import none, structural
from predtrack_assets.domain.numerics.types import Days
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.trading import reconciliation
from predtrack_assets.warehouse.trading import strategy_profiles as profiles


def _books(transaction: Transaction, days: Days) -> Profile:
    """What does not reconcile, per day."""
    span = span_of(days)
    frame = per_day(days, *(transaction.read(query, **span) for query in reconciliation.ALL))
    sealed = (pl.col("r11_digests") + pl.col("r11_sealed")).alias("r11_digests")
    return Profile(frame.with_columns(sealed).drop("r11_sealed"))


def _signals(transaction: Transaction, days: Days) -> Profile:
    return Profile(per_day(days, transaction.read(profiles.SIGNALS, **span_of(days))))


def _weights(transaction: Transaction, days: Days) -> Profile:
    return Profile(per_day(days, transaction.read(profiles.WEIGHTS, **span_of(days))))


def _performance(transaction: Transaction, days: Days) -> Profile:
    return Profile(per_day(days, transaction.read(profiles.PERFORMANCE, **span_of(days))))


TRADING_SUITES = (
    Suite(
        tables.TRADING_SIGNALS,
        _signals,
        (
            structural("look_ahead", "no_look_ahead", "Nothing was decided before its day was over."),
            none("directionless", "directions_have_scores", "What is wanted has a score."),
        ),
    ),
    Suite(
        tables.TARGET_WEIGHTS,
        _weights,
        (
            none("beyond_equity", "weights_within_equity", "Sizes of a day's weights sum to 1 at most."),
            none("against", "weights_follow_signals", "A weight has the sign of its signal."),
        ),
    ),
    Suite(
        tables.PORTFOLIO_STATE,
        _books,
        (
            structural("r1_cash", "r1_cash", "Cash is the sum of the journal, to the cent."),
            structural("r2_quantity", "r2_quantity", "Quantities are the sums of the journal."),
            structural("r3_equity", "r3_equity", "Equity is cash, receivable and positions at their marks."),
            structural("r4_orders", "r4_orders", "Fills keep to their orders; none follows an order's end."),
            structural("r5_decisions", "r5_decisions", "No fill by a bar that was known at the decision."),
            structural("r6_prices", "r6_prices", "Raw prices lie within their bars, limits are respected."),
            structural("r7_participation", "r7_participation", "Fills keep to their share of the volume."),
            structural("r8_actions", "r8_actions", "Every action of a holding is posted, once and in full."),
            structural("r9_attribution", "r9_attribution", "What trades moved is what the fills say."),
            structural("r10_result", "r10_result", "Realised, unrealised, income and costs make the result."),
            structural("r11_digests", "r11_digests", "Digests chain and are those the audit trail says."),
            structural("r12_stale", "r12_stale", "A position without a bar is flagged stale."),
        ),
    ),
    Suite(
        tables.STRATEGY_PERFORMANCE,
        _performance,
        (
            none("unlike_state", "equity_is_the_books", "Equity is that of the period's last day."),
            none("untold", "every_day_told", "Every day of a book has its row."),
        ),
    ),
)  # fmt: skip
