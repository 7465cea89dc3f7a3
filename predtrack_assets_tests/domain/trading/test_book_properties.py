"""Whatever is ordered, split, paid and learned late: the checks hold, and a fold is a fold."""

from __future__ import annotations

import json
import random
from decimal import Decimal as D
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from predtrack_assets.domain.trading.book import new_book, run
from predtrack_assets.domain.trading.execution.fees import IB_FEES, FeeRule
from predtrack_assets.domain.trading.execution.market_day import Action, Day
from predtrack_assets.domain.trading.execution.slippage import SlippageRule
from predtrack_assets.domain.trading.rules import DEFAULT_RULES, LEAN_RULES, ExecutionRules
from predtrack_assets.domain.trading.snapshot import state_as_plain, state_from_plain
from predtrack_assets_tests.builders.book import bar, book_of, day_after, market_day, order

DAYS = 14
SYMBOLS = ("A", "B")
RATIOS = (Fraction(2), Fraction(3, 2), Fraction(7), Fraction(1, 10), Fraction(1, 3))

RULES = st.sampled_from(
    [
        DEFAULT_RULES,
        LEAN_RULES,
        ExecutionRules(
            fees=FeeRule(bps=D(3)),
            slippage=SlippageRule("bps", D(7)),
            lot=D("0.000001"),
            interest_rate=D("0.04"),
            interest_spread=D("0.01"),
            borrow_rate=D("0.03"),
            dividend_delay=2,
        ),
        ExecutionRules(
            fees=IB_FEES, slippage=SlippageRule("volume_share", D("0.1")), participation=D("0.02")
        ),
    ]
)


def random_days(seed: int, *, late: bool) -> list[Day]:
    """Two symbols, sometimes without a bar or volume; actions known up to four days late."""
    dice = random.Random(seed)
    prices = {symbol: dice.uniform(5, 200) for symbol in SYMBOLS}
    learned: dict[int, list[Action]] = {n: [] for n in range(DAYS)}
    days = []
    for n in range(DAYS):
        bars = {}
        for symbol in SYMBOLS:
            if dice.random() < 0.12 and n > 1:
                ratio, kind = dice.choice(RATIOS), dice.choice(["split", "dividend", "dividend"])
                if kind == "split":
                    prices[symbol] /= float(ratio)
                    value: Fraction | D = ratio
                else:
                    value = D(dice.randint(1, 300)) / 100
                action = Action(symbol, day_after(n), kind, value, prices[symbol])
                known = n + (dice.randint(-2, 4) if late else 0)
                learned[max(0, min(known, DAYS - 1))].append(action)
                if late and dice.random() < 0.3 and kind == "dividend":
                    revised = action._replace(value=value + D("0.05"))
                    learned[DAYS - 1].append(revised)
            if dice.random() < 0.12:
                continue
            opened = prices[symbol] * dice.uniform(0.9, 1.1)
            closed = opened * dice.uniform(0.9, 1.1)
            high, low = max(opened, closed) * 1.02, min(opened, closed) * 0.98
            prices[symbol] = closed
            volume = dice.choice([0, 500, 20_000, 5_000_000])
            rounded = [round(x, 4) for x in (opened, high, low, closed)]
            bars[symbol] = bar(n, *rounded, volume)
        asked = tuple(_random_order(dice, n, prices) for _ in range(dice.randint(0, 3)))
        days.append((n, bars, asked))
    return [market_day(n, bars, asked, tuple(learned[n])) for n, bars, asked in days]


def _random_order(dice: random.Random, n: int, prices: dict[str, float]):
    symbol = dice.choice(SYMBOLS)
    if dice.random() < 0.3:
        return order(n, symbol, None, weight=D(dice.randint(-8, 12)) / 10)
    near = {name: D(str(round(prices[symbol] * dice.uniform(0.9, 1.1), 2))) for name in ("l", "s")}
    kind = dice.choice(["market", "market", "limit", "stop", "stop_limit"])
    return order(
        n,
        symbol,
        dice.choice(["buy", "sell"]),
        dice.randint(1, 900),
        kind=kind,
        limit=near["l"] if "limit" in kind else None,
        stop=near["s"] if kind.startswith("stop") else None,
        tif=dice.choice(["gtc", "gtc", "day", "opg"]),
        oco_group=dice.choice([None, None, "x"]),
        reduce_only=dice.random() < 0.2,
    )


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32), rules=RULES, late=st.booleans())
def test_the_checks_hold(seed, rules, late):
    book_of(random_days(seed, late=late), rules=rules)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), cut=st.integers(1, DAYS - 1))
def test_a_range_is_its_days_one_by_one(seed, cut):
    days = random_days(seed, late=True)
    whole, rows = run(new_book("test", D(100_000)), days)
    half, first = run(new_book("test", D(100_000)), days[:cut])
    again, second = run(half, days[cut:])
    assert again == whole
    first.extend(second)
    assert first == rows


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), cut=st.integers(2, DAYS - 2))
def test_what_comes_later_changes_nothing_before(seed, cut):
    days = random_days(seed, late=True)
    poisoned = days[:cut] + random_days(seed + 1, late=True)[cut:]
    _, rows = run(new_book("test", D(100_000)), days)
    _, other = run(new_book("test", D(100_000)), poisoned)
    assert rows.states[:cut] == other.states[:cut]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_buying_never_overdraws_the_cash(seed):
    days = [day for day in random_days(seed, late=False) if not day.actions]
    _, rows = run(new_book("test", D(100_000)), days)
    before = D(0)
    for entry in rows.entries:
        before += entry.cash
        opens = entry.kind == "buy" and entry.source.split(":")[0] in {
            o.order_id for o in rows.orders if o.side == "buy" and not o.reduce_only
        }
        if opens and not any(p.quantity < 0 for _, p in rows.positions):
            assert before >= 0


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), cut=st.integers(1, DAYS - 1), rules=RULES)
def test_a_book_that_was_put_down_as_json_goes_on_as_if_it_had_not(seed, cut, rules):
    days = random_days(seed, late=True)
    state, _ = run(new_book("test", D(100_000), rules), days[:cut])
    read = state_from_plain(json.loads(json.dumps(state_as_plain(state))), rules)
    assert read == state
    assert run(read, days[cut:]) == run(state, days[cut:])
