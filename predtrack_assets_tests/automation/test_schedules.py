"""Schedules: when they tick, which day they then ask for, and who starts them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from predtrack_assets.automation.catch_up import RANGE_END, RANGE_START
from predtrack_assets.automation.schedules import build_schedules
from predtrack_assets.definitions import build_definitions
from predtrack_assets.domain.time.calendar import calendar

REPOSITORY = build_definitions().get_repository_def()
CRON = {
    "decision_schedule": ("predict_day", "30 0 * * *"),
    "validation_schedule": ("resolve_outcomes", "0 11 * * *"),
    "calibration_schedule": ("score_calibration", "0 12 * * *"),
    "market_conditions_schedule": ("refresh_prices", "30 21 * * *"),
    "symbol_accuracy_schedule": ("score_symbols", "30 12 * * *"),
    "training_schedule": ("fit_models", "0 3 1 * *"),
    "tuning_schedule": ("tune_models", "0 7 * * 0"),
    "trading_schedule": ("trade_day", "45 0 * * *"),
    "gates_schedule": ("judge_gates", "0 8 * * 0"),
    "proof_schedule": ("prove", "0 6 * * 0"),
    "weekly_report_schedule": ("send_report", "0 9 * * 0"),
}
BUILT = {schedule.name: schedule for schedule in build_schedules(())}
DAILY = [s for s in build_schedules(()) if str(s.cron_schedule).endswith("* * *")]

MORNING = datetime(2024, 3, 6, 0, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def nothing_made_yet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An instance in memory; contexts would only take one that another process could open."""
    with dg.DagsterInstance.ephemeral() as instance:
        monkeypatch.setattr(dg.ScheduleEvaluationContext, "instance", instance)
        yield


def utc(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)


def tick(schedule: dg.ScheduleDefinition, moment: datetime) -> dg.RunRequest | str:
    """The one request of a tick, or why there is none."""
    context = dg.build_schedule_context(scheduled_execution_time=moment, repository_def=REPOSITORY)
    data = schedule.evaluate_tick(context)
    if data.skip_message:
        return data.skip_message
    (request,) = data.run_requests or []
    return request


def test_the_chain_ticks_at_its_hours_in_utc() -> None:
    assert {name: (s.job_name, s.cron_schedule) for name, s in BUILT.items()} == CRON
    assert {schedule.execution_timezone for schedule in BUILT.values()} == {"UTC"}


@pytest.mark.parametrize("schedule", DAILY, ids=lambda schedule: schedule.name)
@pytest.mark.parametrize(
    ("tick_day", "partition"),
    [
        (utc(2024, 3, 6), "2024-03-05"),
        (utc(2024, 3, 9), "2024-03-08"),  # Saturday: Friday's
        (utc(2024, 3, 12), "2024-03-11"),  # the first session after New York's clocks changed
        (utc(2024, 11, 5), "2024-11-04"),  # and after they changed back
    ],
)
def test_a_tick_asks_for_the_day_before(
    schedule: dg.ScheduleDefinition, tick_day: datetime, partition: str
) -> None:
    minute, hour = (int(part) for part in str(schedule.cron_schedule).split()[:2])
    request = tick(schedule, tick_day + timedelta(hours=hour, minutes=minute))
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == partition
    assert request.run_key == tick_day.date().isoformat(), "one run, however often it is repeated"


@pytest.mark.parametrize(
    ("moment", "closed"),
    [
        (utc(2024, 3, 10, 0, 30), "2024-03-09"),  # Sunday: Saturday's
        (utc(2024, 3, 11, 0, 30), "2024-03-10"),
        (utc(2024, 3, 30, 0, 30), "2024-03-29"),  # Good Friday
        (utc(2024, 12, 26, 0, 30), "2024-12-25"),
    ],
)
def test_a_closed_day_is_skipped_by_name(moment: datetime, closed: str) -> None:
    answer = tick(BUILT["decision_schedule"], moment)
    assert isinstance(answer, str)
    assert closed in answer
    assert "nothing was missed" in answer


@pytest.mark.parametrize("name", sorted(set(CRON) - {"proof_schedule", "weekly_report_schedule"}))
def test_a_tick_starts_a_run_that_its_job_accepts(name: str) -> None:
    job = build_definitions().resolve_job_def(BUILT[name].job_name)
    assert job.partitions_def is not None
    request = tick(BUILT[name], utc(2024, 4, 1, 3) if "training" in name else MORNING)
    assert isinstance(request, dg.RunRequest)
    keys = [request.partition_key, *(request.tags.get(tag) for tag in (RANGE_START, RANGE_END))]
    for key in filter(None, keys):
        assert job.partitions_def.has_partition_key(key)


def test_a_month_is_fitted_on_the_first_of_the_next() -> None:
    for moment, month in ((utc(2024, 4, 1, 3), "2024-03"), (utc(2025, 1, 1, 3), "2024-12")):
        request = tick(BUILT["training_schedule"], moment)
        assert isinstance(request, dg.RunRequest)
        assert request.partition_key == month
    before = tick(BUILT["training_schedule"], utc(1999, 12, 1, 3))
    assert isinstance(before, str)
    assert "1999-11" in before


@pytest.mark.parametrize(
    ("sunday", "first", "last"),
    [
        (utc(2024, 3, 10, 8), "2024-03-04", "2024-03-08"),
        (utc(2024, 3, 31, 8), "2024-03-25", "2024-03-28"),  # without Good Friday
    ],
)
def test_gates_look_at_the_week_that_ended(sunday: datetime, first: str, last: str) -> None:
    request = tick(BUILT["gates_schedule"], sunday)
    assert isinstance(request, dg.RunRequest)
    assert (request.tags[RANGE_START], request.tags[RANGE_END]) == (first, last)


@pytest.mark.parametrize(
    ("exchange", "zone", "close"),
    [
        ("XNYS", "America/New_York", time(16)),
        ("XTSE", "America/Toronto", time(16)),
        ("XLON", "Europe/London", time(16, 30)),
        ("XETR", "Europe/Berlin", time(17, 30)),
        ("XASX", "Australia/Sydney", time(16)),
    ],
)
def test_a_day_is_over_at_its_tick_before_and_after_the_clocks_change(
    exchange: str, zone: str, close: time
) -> None:
    """At 00:30 UTC day D is complete and the next close, which predictions speak of, is not yet."""
    sessions = [
        day.item() for day in calendar(exchange).between(date(2023, 1, 2), date(2025, 1, 2))
    ]
    closes = [datetime.combine(day, close, ZoneInfo(zone)).astimezone(UTC) for day in sessions]
    assert len({moment.time() for moment in closes}) == 2, "summer and winter"
    for day, closed, following in zip(sessions, closes, closes[1:], strict=False):
        decision = datetime.combine(day, time(0, 30), UTC) + timedelta(days=1)
        assert closed < decision < following


def test_the_proofs_run_on_sundays_over_days_of_their_own_choice() -> None:
    request = tick(BUILT["proof_schedule"], utc(2024, 3, 10, 6))
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key is None
    assert request.run_key == "2024-03-10"
    assert build_definitions().resolve_job_def("prove").partitions_def is None


def test_nothing_starts_by_itself() -> None:
    assert {s.default_status for s in build_schedules(())} == {dg.DefaultScheduleStatus.STOPPED}


def test_the_allow_list_starts_what_it_names_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDTRACK_SCHEDULES", "decision_schedule, run_failure_sensor")
    built = build_definitions()
    automatic = [*(built.schedules or []), *(built.sensors or [])]
    running = {item.name for item in automatic if item.default_status.value == "RUNNING"}
    assert running == {"decision_schedule", "run_failure_sensor"}


def test_an_unknown_name_in_the_allow_list_is_refused_with_the_known_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PREDTRACK_SCHEDULES", "decision_schedule,decison_schedule")
    with pytest.raises(ValueError, match="names decison_schedule; there are") as refusal:
        build_definitions()
    for name in [*CRON, "run_failure_sensor"]:
        assert name in str(refusal.value)
