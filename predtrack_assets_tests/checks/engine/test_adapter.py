"""From profiles to check results."""

from __future__ import annotations

import dagster as dg
import polars as pl
import pytest

from predtrack_assets.checks.engine.adapter import MAX_SAMPLES, CheckError, Profile, evaluate
from predtrack_assets.checks.engine.rules import Rule, at_most, none, structural

ASSET = dg.AssetKey(["market", "market_data"])


def profile(**measures: list[float]) -> Profile:
    days = [f"2024-01-{i + 1:02}" for i in range(len(next(iter(measures.values()))))]
    return Profile(pl.DataFrame({"day": days, **measures}))


def value(result: dg.AssetCheckResult, name: str) -> object:
    return result.metadata[name].value


def test_results_bear_the_names_of_their_rules_in_order() -> None:
    rules = [none("b", "second", ""), none("a", "first", ""), at_most(9, "a", "third", "")]
    results = evaluate(ASSET, rules, profile(a=[0, 0], b=[0, 1]))
    assert [(r.check_name, r.passed) for r in results] == [
        ("second", False),
        ("first", True),
        ("third", True),
    ]
    assert {r.asset_key for r in results} == {ASSET}


def test_what_failed_is_counted_and_shown_with_its_day() -> None:
    (result,) = evaluate(ASSET, [none("gaps", "no_gaps", "")], profile(gaps=[0, 3, 0, 7]))
    assert value(result, "rows_checked") == 4
    assert value(result, "rows_failed") == 2
    shown = str(value(result, "samples"))
    assert "| 2024-01-02 |" in shown
    assert "| 7 |" in shown
    assert "2024-01-01" not in shown


def test_at_most_twenty_samples() -> None:
    (result,) = evaluate(ASSET, [none("x", "none", "")], profile(x=[1.0] * 28))
    assert value(result, "rows_failed") == 28
    assert str(value(result, "samples")).count("\n") == MAX_SAMPLES + 1


def test_structure_is_an_error_and_blocks_and_the_rest_warns() -> None:
    rules = [structural("x", "keys", "Keys."), none("x", "habits", "Habits.")]
    assert [r.severity.value for r in evaluate(ASSET, rules, profile(x=[1]))] == ["ERROR", "WARN"]
    specs = [rule.spec(ASSET) for rule in rules]
    assert [(s.name, s.blocking, s.description) for s in specs] == [
        ("keys", True, "Keys."),
        ("habits", False, "Habits."),
    ]


def test_any_expectation_can_be_a_rule() -> None:
    rule = Rule("mean", "", "expect_column_mean_to_be_between", {"column": "x", "max_value": 1})
    (result,) = evaluate(ASSET, [rule], profile(x=[1, 5]))
    assert not result.passed
    assert value(result, "observed") == "3.0"


def test_columns_with_the_same_bounds_keep_their_failures_apart() -> None:
    rules = [none("a", "a", ""), at_most(0.5, "b", "b", ""), none("c", "c", ""), none("b", "d", "")]
    found = evaluate(ASSET, rules, profile(a=[0, 0, 3], b=[0.5, 0.75, 0], c=[2, 0, 0]))
    failed = {str(r.check_name): value(r, "rows_failed") for r in found}
    assert failed == {"a": 1, "b": 1, "c": 1, "d": 2}
    shown = {str(r.check_name): str(value(r, "samples")) for r in found}
    assert shown["a"].endswith("| 2024-01-03 | 3 |")
    assert shown["b"].endswith("| 2024-01-02 | 0.75 |")
    assert shown["c"].endswith("| 2024-01-01 | 2 |")
    assert shown["d"].endswith("| 2024-01-01 | 0.5 |\n| 2024-01-02 | 0.75 |")


def test_an_expectation_of_a_late_module_is_evaluated() -> None:
    rule = Rule(
        "kl",
        "",
        "expect_column_kl_divergence_to_be_less_than",
        {
            "column": "x",
            "partition_object": {"values": ["u", "v"], "weights": [0.5, 0.5]},
            "threshold": 0.1,
        },
    )
    frame = pl.DataFrame({"day": ["2024-01-01", "2024-01-02"], "x": ["u", "v"]})
    assert [r.passed for r in evaluate(ASSET, [rule], Profile(frame))] == [True]
    assert [r.passed for r in evaluate(ASSET, [rule], Profile(frame[:1]))] == [False]


def test_no_rows_pass() -> None:
    (result,) = evaluate(ASSET, [none("x", "none", "")], profile(x=[]))
    assert result.passed
    assert value(result, "rows_checked") == 0


def test_notes_are_added_to_their_check_only() -> None:
    noted = Profile(profile(x=[0]).frame, {"a": {"gaps": 7}})
    first, second = evaluate(ASSET, [none("x", "a", ""), none("x", "b", "")], noted)
    assert value(first, "gaps") == 7
    assert "gaps" not in second.metadata


@pytest.mark.parametrize("column", ["absent", "words"])
def test_a_rule_that_cannot_be_evaluated_is_an_error(column: str) -> None:
    frame = pl.DataFrame({"day": ["2024-01-01"], "words": ["one"]})
    with pytest.raises(CheckError, match="broken"):
        evaluate(ASSET, [none(column, "broken", "")], Profile(frame))
