"""What is decided at the end of each week, in order."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from predtrack_assets.domain.deployment import champions as promotion
from predtrack_assets.domain.deployment.champions import (
    BEGINNING,
    ChampionSelection,
    Deployment,
    Evidence,
    PairedTest,
)
from predtrack_assets.domain.statistics import e_process
from predtrack_assets.domain.time.calendar import as_of

FRIDAYS = [date(2024, 1, 5) + timedelta(weeks=k) for k in range(40)]


def evidence(mean: float, start: date = date(2024, 1, 1)) -> Evidence:
    """A challenger better by `mean` on each of 280 days from `start`, known the next day."""
    days = np.datetime64(start) + np.arange(280)
    columns = {"trading_day": days, "known_day": days + 1, "d": np.full(280, mean)}
    return Evidence.of(pl.DataFrame(columns), 1)


def selection(
    gains: dict[str, float], passed: dict[str, int] | None = None, **options: object
) -> ChampionSelection:
    """gains: per challenger, by how much it is better than anybody; passed: since which week."""
    gates = {
        (day, model): f"{model}@{day}"
        for model, since in (passed or {}).items()
        for day in FRIDAYS[since:]
    }
    settings: dict = {"deployments": [], "finished": {}, **options}
    made = ChampionSelection(
        treatments=list(gains),
        evidence=lambda test: evidence(gains[test.treatment], max(test.start, date(2024, 1, 1))),
        passed=gates,
        **settings,
    )
    promotion.select_champions([made], FRIDAYS)
    return made


def test_a_champion_has_passed_its_gate_and_beaten_no_change() -> None:
    made = selection({"good": 0.3}, {"good": 20})
    (champion,) = made.deployed
    assert champion.model_id == "good"
    assert champion.valid_from == as_of(FRIDAYS[20]), "the gate came after the test"
    assert champion.gate_id == f"good@{FRIDAYS[20]}"
    assert "no_change" in champion.reason


def test_a_gate_alone_or_a_test_alone_is_not_enough() -> None:
    assert selection({"good": 0.3}).deployed == []
    assert selection({"idle": 0.0}, {"idle": 0}).deployed == []
    assert selection({"bad": -0.3}, {"bad": 0}).deployed == []
    assert selection({"good": 0.3}, {"good": 0}, automatic=False).deployed == []
    assert selection({"good": 0.3}, {"good": 0}, barred=["good"]).deployed == []


def test_a_decided_test_is_reported_once_and_a_running_one_each_week() -> None:
    made = selection({"bad": -0.3, "idle": 0.0})
    bad = [(day, s) for day, test, s in made.states if test.treatment == "bad"]
    assert [s.status for _, s in bad][-1] == "rejected"
    assert {s.status for _, s in bad[:-1]} <= {"running"}
    assert bad[-1][1].decided_day <= bad[-1][0]
    idle = [s.status for _, test, s in made.states if test.treatment == "idle"]
    assert idle == ["running"] * len(FRIDAYS)


def test_the_next_challenger_must_beat_the_champion_on_new_days() -> None:
    made = selection({"first": 0.3, "idle": 0.0}, {"first": 10})
    since = made.deployed[0].valid_from.date()
    tests = {test for _, test, _ in made.states}
    assert PairedTest("no_change", "first", BEGINNING) in tests
    assert PairedTest("first", "idle", since) in tests
    ended = [s for _, d, s in made.states if d == PairedTest("no_change", "idle", BEGINNING)]
    assert ended[-1].status == promotion.INCONCLUSIVE
    assert ended[-1].decided_day == FRIDAYS[11], "the first look after its control was replaced"
    assert promotion.conclusion(PairedTest("a", "b", since), ended[-1])


def test_a_stored_test_is_the_duel_that_it_was() -> None:
    since_ever = promotion.paired_test("no_change", "first", date(2024, 1, 1), [])
    assert since_ever == PairedTest("no_change", "first", BEGINNING)
    champions = [Deployment("first", as_of(FRIDAYS[10]))]
    since = champions[0].valid_from.date()
    before = promotion.paired_test("no_change", "first", FRIDAYS[9], champions)
    assert before == PairedTest("no_change", "first", BEGINNING)
    assert promotion.paired_test("first", "idle", since, champions) == PairedTest(
        "first", "idle", since
    )


def test_a_course_begins_with_its_first_decision_date() -> None:
    assert evidence(0.1).first == date(2024, 1, 1)
    nothing = pl.DataFrame(schema={"trading_day": pl.Date, "known_day": pl.Date, "d": pl.Float64})
    assert Evidence.of(nothing, 1).first is None


def test_two_that_could_are_one_champion_at_a_time() -> None:
    made = selection({"a": 0.2, "b": 0.3}, {"a": 5, "b": 5})
    moments = [d.valid_from for d in made.deployed]
    assert len(moments) == len(set(moments))
    assert made.deployed[0].model_id == "b", "the better one goes first"


def test_history_on_record_is_not_decided_again() -> None:
    once = selection({"good": 0.3}, {"good": 20})
    again = selection({"good": 0.3}, {"good": 20}, deployments=list(once.deployed))
    assert again.deployed == []
    assert again.states == once.states
    later = Deployment("other", as_of(FRIDAYS[30]))
    (after,) = selection({"good": 0.3}, {"good": 20}, deployments=[later]).deployed
    assert after.valid_from > later.valid_from, "nothing is put before what is on record"


def test_an_override_that_ended_leaves_the_one_before() -> None:
    first = Deployment("first", as_of(FRIDAYS[0]))
    for_a_week = Deployment("other", as_of(FRIDAYS[1]), as_of(FRIDAYS[3]))
    made = selection({"good": 0.0}, deployments=[first, for_a_week])
    controls = {day: test.control for day, test, _ in made.states}
    assert controls[FRIDAYS[2]] == "other"
    assert controls[FRIDAYS[5]] == "first"


def test_a_test_decided_in_an_earlier_run_stays_decided() -> None:
    whole = selection({"good": 0.3}, {"good": 20})
    decided = next((day, test, s) for day, test, s in whole.states if s.status == "promoted")
    again = selection({"good": 0.0}, {"good": 20}, finished={decided[1]: (decided[0], decided[2])})
    assert [d.model_id for d in again.deployed] == ["good"]


def test_a_test_runs_until_it_is_decided() -> None:
    d = np.concatenate([np.zeros(4000), np.full(400, 0.5)])
    known = np.datetime64(date(2004, 1, 2)) + np.arange(4400)
    course = Evidence.of(pl.DataFrame({"trading_day": known, "known_day": known + 1, "d": d}), 1)
    assert promotion.state(course, known[3999].item()).status == "running"
    assert promotion.state(course, known[-1].item() + timedelta(1)).status == "promoted"


def test_a_symbols_own_model_must_beat_the_champion_of_all_symbols() -> None:
    wider = [Deployment("pooled", as_of(FRIDAYS[5])), Deployment("newer", as_of(FRIDAYS[30]))]
    made = selection({"own": 0.3}, {"own": 20}, wider=wider)
    controls = {day: test.control for day, test, _ in made.states}
    assert controls[FRIDAYS[0]] == "no_change", "nobody is champion of all symbols yet"
    assert controls[FRIDAYS[6]] == "pooled"
    (champion,) = made.deployed
    assert (champion.model_id, champion.valid_from) == ("own", as_of(FRIDAYS[20]))
    assert "beat pooled" in champion.reason
    assert max(controls) <= FRIDAYS[20], "its own champion stays when that of all symbols changes"


def test_a_duel_with_the_champion_of_all_symbols_ends_when_another_takes_its_place() -> None:
    wider = [Deployment("pooled", as_of(FRIDAYS[5])), Deployment("newer", as_of(FRIDAYS[30]))]
    made = selection({"own": 0.0}, wider=wider)
    ended = {test.control: s.status for _, test, s in made.states}
    assert ended == {
        "no_change": promotion.INCONCLUSIVE, "pooled": promotion.INCONCLUSIVE, "newer": "running",
    }  # fmt: skip
    since = {test.control: test.start for _, test, _ in made.states}
    assert since["newer"] == as_of(FRIDAYS[30]).date()


def test_when_an_override_of_a_symbol_ends_the_champion_of_all_symbols_is_to_beat_again() -> None:
    wider = [Deployment("pooled", as_of(FRIDAYS[5]))]
    forced = Deployment("forced", as_of(FRIDAYS[10]), as_of(FRIDAYS[15]))
    made = selection({"own": 0.0}, wider=wider, deployments=[forced])
    controls = {day: test.control for day, test, _ in made.states}
    assert (controls[FRIDAYS[12]], controls[FRIDAYS[17]]) == ("forced", "pooled")


def test_a_pair_that_was_tested_goes_on_with_its_test() -> None:
    """An override that came and went gives nobody a second chance to err."""
    forced = Deployment("forced", as_of(FRIDAYS[9]), as_of(FRIDAYS[19]))
    made = selection({"idle": 0.0}, deployments=[forced])
    against_nobody = [(day, s) for day, test, s in made.states if test.control == "no_change"]
    assert {test.start for _, test, _ in made.states if test.control == "no_change"} == {BEGINNING}
    course = dict(against_nobody)
    assert course[FRIDAYS[10]].status == promotion.INCONCLUSIVE
    assert course[FRIDAYS[10]].decided_day == FRIDAYS[10]
    assert FRIDAYS[15] not in course
    assert course[FRIDAYS[25]].status == "running"
    assert course[FRIDAYS[25]].n == (FRIDAYS[25] - date(2024, 1, 1)).days, "all days count"
    assert {level.batch for level in made.levels.values()} == {1, 2}


def test_what_was_rejected_stays_rejected() -> None:
    forced = Deployment("forced", as_of(FRIDAYS[19]), as_of(FRIDAYS[25]))
    made = selection({"bad": -0.3}, deployments=[forced])
    ends = [day for day, test, s in made.states if s.status == "rejected"]
    assert len(ends) == 2, "once against no_change and once against forced"
    assert max(ends) < FRIDAYS[25]


def test_all_scopes_of_a_week_share_a_cohort() -> None:
    made = [
        ChampionSelection(
            treatments=names,
            deployments=[],
            evidence=lambda test: evidence(0.0),
            passed={},
            finished={},
            since=since,
        )
        for names, since in ((["a", "b"], date.min), (["own"], date.min), (["own"], FRIDAYS[3]))
    ]
    promotion.select_champions(made, FRIDAYS, batches=4)
    levels = [sorted(selection.levels.values()) for selection in made]
    assert levels[0] == [(5, e_process.threshold(5, 3))] * 2
    assert levels[1] == [(5, e_process.threshold(5, 3))]
    assert levels[2] == [(6, e_process.threshold(6, 1))]


def test_a_state_says_how_many_of_its_dates_were_live() -> None:
    days = np.datetime64(date(2024, 1, 1)) + np.arange(100)
    live = pl.Series([False] * 40 + [True] * 60)
    columns = {"trading_day": days, "known_day": days + 5, "d": np.zeros(100), "live": live}
    course = Evidence.of(pl.DataFrame(columns), 5)
    current = promotion.state(course, days[49].item() + timedelta(days=5))
    assert (current.n, current.n_live) == (50, 10)
    assert promotion.state(evidence(0.0), FRIDAYS[-1]).n_live == 0, "of a replay"


def test_a_higher_level_takes_longer() -> None:
    course = evidence(0.3)
    days = [
        promotion.state(course, FRIDAYS[-1], level).decided_day for level in (20.0, 80.0, 3000.0)
    ]
    assert days == sorted(set(days))


def test_after_a_retirement_a_challenger_must_beat_nobody() -> None:
    first, gone = Deployment("first", as_of(FRIDAYS[0])), Deployment(None, as_of(FRIDAYS[9]))
    made = selection(
        {"good": 0.3, "idle": 0.0}, {"good": 0}, deployments=[first, gone], barred=["first"]
    )
    controls = {day: test.control for day, test, _ in made.states}
    assert (controls[FRIDAYS[5]], controls[FRIDAYS[10]]) == ("first", "no_change")
    (champion,) = made.deployed
    assert champion.model_id == "good"
    assert champion.valid_from > gone.valid_from, "it won against first, but that was before"
    assert "beat no_change" in champion.reason


def test_a_symbol_whose_own_champion_was_retired_has_the_one_of_all_symbols() -> None:
    wider = [Deployment("pooled", as_of(FRIDAYS[2]))]
    own = [Deployment("own", as_of(FRIDAYS[5])), Deployment(None, as_of(FRIDAYS[10]))]
    made = selection({"other": 0.0}, wider=wider, deployments=own)
    controls = {day: test.control for day, test, _ in made.states}
    assert (controls[FRIDAYS[8]], controls[FRIDAYS[12]]) == ("own", "pooled")
    gone = [*wider, Deployment(None, as_of(FRIDAYS[20]))]
    made = selection({"other": 0.0}, wider=gone, deployments=own)
    assert {day: d.control for day, d, _ in made.states}[FRIDAYS[22]] == "no_change"
