"""Trading-day partitions as Dagster sees them, and the window an asset is asked for."""

from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import pytest
from dagster._serdes import deserialize_value, serialize_value

from predtrack_assets.days import Window, last_days_of, no_trading_day, window_start
from predtrack_assets.domain.time.calendar import calendar
from predtrack_assets.partitions import (
    ONE_RUN,
    TRADING_DAYS,
    day_asset,
    day_multi_asset,
    months_of,
    trading_days,
    window,
)
from predtrack_assets.settings import Settings

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
XNYS = calendar("XNYS").sessions
IN_2020 = datetime(2020, 1, 1, tzinfo=UTC)


def keys(settings: Settings, at: datetime = IN_2020) -> list[str]:
    return list(trading_days(settings).get_partition_keys(current_time=at))


def test_partitions_are_the_sessions() -> None:
    settings = Settings(first_day=date(2000, 1, 3), exchanges=("XNYS",))
    expected = calendar("XNYS").between(date(2000, 1, 3), date(2019, 12, 31))
    assert keys(settings) == [str(day) for day in expected]


def test_a_holiday_of_one_exchange_is_a_trading_day_of_another() -> None:
    found = keys(Settings(first_day=date(2019, 1, 1), exchanges=("XNYS", "XASX")))
    assert "2019-07-04" in found  # a session in Sydney only
    assert "2019-01-28" in found  # a session in New York only
    assert "2019-12-25" not in found
    assert "2019-07-06" not in found


def test_round_the_clock_markets_trade_at_weekends() -> None:
    settings = Settings(first_day=date(2019, 1, 1), exchanges=("XNYS", "24/7"))
    assert len(keys(settings)) == 365
    assert "2019-07-06" not in keys(Settings(first_day=date(2019, 1, 1), exchanges=("24/5",)))


def test_weekend_sessions_before_the_first_day_cost_no_exclusions() -> None:
    """Seoul had sessions on Saturdays until 1998; Tel Aviv has some on Sundays until 2026."""
    seoul = trading_days(Settings(first_day=date(2000, 1, 3), exchanges=("XKRX",)))
    assert "0 0 * * 6,0" in (seoul.exclusions or ())
    tel_aviv = keys(Settings(first_day=date(2019, 1, 1), exchanges=("XTAE",)))
    expected = calendar("XTAE").between(date(2019, 1, 1), date(2019, 12, 31))
    assert tel_aviv == [str(day) for day in expected]


def test_no_trading_day_names_the_nearest() -> None:
    assert no_trading_day(date(2012, 12, 25), date(2012, 12, 25)) == (
        "no trading day on 2012-12-25: XNYS closed (weekend or holiday);"
        " nearest: 2012-12-24 and 2012-12-26"
    )
    weekend = no_trading_day(date(2012, 12, 29), date(2012, 12, 30))
    assert weekend.startswith("no trading day from 2012-12-29 to 2012-12-30: XNYS closed")
    assert weekend.endswith("nearest: 2012-12-28 and 2012-12-31")


def test_fridays_window_is_one_utc_day() -> None:
    days = trading_days(Settings(exchanges=("XNYS",)))
    friday = days.time_window_for_partition_key("2024-07-05")
    assert friday.start == datetime(2024, 7, 5, tzinfo=UTC)
    assert friday.end == datetime(2024, 7, 6, tzinfo=UTC)


def test_a_day_is_a_partition_once_it_is_over_in_utc() -> None:
    settings = Settings(first_day=date(2019, 1, 2), exchanges=("XNYS",))
    assert keys(settings, datetime(2019, 7, 5, 23, 59, tzinfo=UTC))[-1] == "2019-07-03"
    assert keys(settings, datetime(2019, 7, 6, tzinfo=UTC))[-1] == "2019-07-05"


def test_partitions_end_where_the_sample_ends() -> None:
    settings = Settings(source="sample")
    days = keys(settings)
    assert (days[0], days[-1]) == ("2000-03-01", "2013-03-01")
    months = months_of(settings).get_partition_keys(current_time=IN_2020)
    assert (months[0], months[-1]) == ("2000-03", "2013-02"), "March 2013 is not whole"


def test_partitions_end_with_the_last_day_asked_for() -> None:
    settings = Settings(last_day=date(2019, 7, 6))
    assert keys(settings)[-1] == "2019-07-05", "a Saturday has none"
    assert keys(Settings(last_day=date(2019, 6, 28)))[-1] == "2019-06-28"
    assert months_of(settings).get_partition_keys(current_time=IN_2020)[-1] == "2019-06"
    with pytest.raises(ValueError, match="no trading day from first_day 2000-01-03"):
        keys(Settings(last_day=date(1999, 1, 4)))


def test_partitions_listed_once_follow_the_day_they_are_asked_of() -> None:
    days = trading_days(Settings(first_day=date(2019, 1, 1)))
    plain = deserialize_value(serialize_value(days), dg.TimeWindowPartitionsDefinition)
    assert plain == days
    for at in (IN_2020, datetime(2019, 7, 8, tzinfo=UTC), IN_2020, None):
        assert list(days.get_partition_keys(at)) == list(plain.get_partition_keys(at))


@pytest.mark.parametrize("first_day", [date(1989, 12, 29), date(2031, 1, 2)])
def test_first_day_outside_the_snapshot_is_refused(first_day: date) -> None:
    with pytest.raises(ValueError, match="first_day must lie between 1990-01-01 and 2030-12-31"):
        trading_days(Settings(first_day=first_day))


def test_unknown_exchange_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown exchange 'NYSE'"):
        trading_days(Settings(exchanges=("NYSE",)))


def test_window_days_are_the_trading_days_within_it() -> None:
    assert Window(date(2024, 7, 3), date(2024, 7, 7)).days.tolist() == [
        date(2024, 7, 3),
        date(2024, 7, 5),
    ]
    with pytest.raises(ValueError, match="ends on 2024-07-03, before its start 2024-07-05"):
        Window(date(2024, 7, 5), date(2024, 7, 3))


def run(definitions: list[Any], tags: dict[str, str] | None = None, **options: Any) -> Any:
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(definitions, instance=instance, tags=tags, **options)
        assert result.success
        return result


@pytest.mark.parametrize("single", [True, False], ids=["one day", "a range"])
def test_assets_and_checks_of_a_run_see_the_same_window(single: bool) -> None:
    seen: dict[str, Window] = {}

    @day_asset(schema="market", code_version="1")
    def bars(context: dg.AssetExecutionContext) -> None:
        seen["asset"] = window(context)

    @day_multi_asset(schema="market", specs=[dg.AssetSpec("splits")], code_version="1")
    def actions(context: dg.AssetExecutionContext) -> Any:
        seen["multi_asset"] = window(context)
        yield dg.MaterializeResult(asset_key=["market", "splits"])

    @dg.asset_check(asset=bars)
    def complete(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        seen["check"] = window(context)
        return dg.AssetCheckResult(passed=True)

    definitions = [bars, actions, complete]
    if single:
        run(definitions, partition_key="2024-07-05")
        expected = Window(date(2024, 7, 5), date(2024, 7, 5))
    else:
        run(definitions, {RANGE_START: "2024-07-03", RANGE_END: "2024-07-09"})
        expected = Window(date(2024, 7, 3), date(2024, 7, 9))
    assert seen == {"asset": expected, "multi_asset": expected, "check": expected}


def test_five_thousand_days_are_one_window() -> None:
    first, last = (str(day) for day in XNYS[[2600, 7599]])
    context = dg.build_asset_context(partition_key_range=dg.PartitionKeyRange(first, last))
    assert len(window(context).days) == 5000
    assert str(window(context).start) == first
    assert len(TRADING_DAYS.get_partition_keys_in_range(dg.PartitionKeyRange(first, last))) == 5000


def test_decorators_set_what_every_asset_shares() -> None:
    @day_asset(schema="market", code_version="7", owners=["team:other"])
    def bars() -> None:
        """Bars."""

    @day_multi_asset(
        schema="accuracy",
        specs=[
            dg.AssetSpec("scores", description="Scores.", deps=[bars]),
            dg.AssetSpec("ranks", code_version="3", kinds={"sql"}),
        ],
        code_version="2",
    )
    def scoring() -> Any:
        yield

    spec = bars.get_asset_spec(dg.AssetKey(["market", "bars"]))
    assert (spec.group_name, spec.code_version, spec.description) == ("market", "7", "Bars.")
    assert (list(spec.owners), spec.kinds) == (["team:other"], {"postgres", "python"})

    scores, ranks = (
        scoring.get_asset_spec(dg.AssetKey(["accuracy", name])) for name in ("scores", "ranks")
    )
    assert (scores.group_name, scores.code_version) == ("accuracy", "2")
    assert (list(scores.owners), scores.kinds) == (["team:predtrack"], {"postgres", "python"})
    assert [dep.asset_key.path for dep in scores.deps] == [["market", "bars"]]
    assert (ranks.code_version, ranks.kinds) == ("3", {"sql"})

    for definition in (bars, scoring):
        assert definition.partitions_def is TRADING_DAYS
        assert definition.backfill_policy == ONE_RUN


def test_a_window_begins_after_the_trading_day_before_it() -> None:
    settings = Settings(exchanges=("XNYS",))
    assert window_start(date(2024, 7, 8), settings) == date(2024, 7, 6)
    assert window_start(date(2024, 7, 9), settings) == date(2024, 7, 9)


def test_last_trading_days_of_weeks_and_months() -> None:
    days = calendar("XNYS").between(date(2024, 3, 18), date(2024, 4, 1))
    # Good Friday is closed, so Thursday is the last day of its week and of March.
    assert last_days_of("W", days).tolist() == [date(2024, 3, 22), date(2024, 3, 28)]
    assert last_days_of("M", days).tolist() == [date(2024, 3, 28)]
