"""A slice of the campaign: the same promises for a small département under a low ceiling, and a judge that judges."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from connectors.records import AbsenceDraft
from gateway.sync import engine
from gateway.sync.ceiling import Ceiling, writes_by_remote
from tests.campaigns.agendas import FIRST_MONDAY, RDVS, TWINS
from tests.campaigns.departement import play
from tests.campaigns.judge import AGENDAS, RDV_SOLIDARITES, Judge
from tests.simulation.weather import BrokenPromise, ModelClock

AGENTS, OCCURRENCES = 9, 50
LOW = Ceiling(per_hour=100, per_day=150)


def draft(day: int, agent_id: int = 1) -> AbsenceDraft:
    start = FIRST_MONDAY + timedelta(days=day, hours=9)
    return AbsenceDraft(agent_id, "Occupé", start, start + timedelta(hours=1))


def test_three_waves_go_live_under_a_low_ceiling() -> None:
    """Every promise is judged as it is played; here the figures that follow from the agendas."""
    figures = play(AGENTS, OCCURRENCES, LOW)
    assert figures.occurrences == AGENTS * OCCURRENCES
    assert figures.absences_created == figures.blocks - figures.pairs < figures.occurrences
    assert 0 < figures.pairs <= AGENTS * TWINS
    assert figures.events_created == AGENTS * (RDVS + 1)
    assert len(figures.commands) == 11
    assert figures.busiest_hour[RDV_SOLIDARITES] == LOW.per_hour
    assert figures.busiest_day[RDV_SOLIDARITES] <= LOW.per_day
    assert figures.runs > figures.absences_created // LOW.per_hour
    assert figures.requests_of_unchanged_run[AGENDAS] == 1


def test_a_fleet_that_is_not_sorted_by_dates_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the rest of the ceiling given to whoever comes first, nearest dates do not come first any more."""

    def first_come(queues, left, _today):
        granted = {agent_id: {} for agent_id in queues}
        for remote, free in left.items():
            rest = free
            for agent_id, queue in queues.items():
                granted[agent_id][remote] = min(rest, writes_by_remote(queue)[remote])
                rest -= granted[agent_id][remote]
        return granted

    monkeypatch.setattr(engine, "nearest_first", first_come)
    with pytest.raises(BrokenPromise, match="nearest first"):
        play(AGENTS, OCCURRENCES, LOW)


class TestJudge:
    """What no run of a sound gateway shows."""

    def judge(self) -> Judge:
        return Judge(ModelClock(datetime.fromisoformat("2026-02-27T19:00:00+00:00")), per_hour=2, per_day=3)

    def test_one_write_more_than_the_hour_takes_is_refused(self) -> None:
        judge = self.judge()
        judge.absence_written("create", None, draft(0), 1)
        judge.absence_written("create", None, draft(1), 2)
        with pytest.raises(BrokenPromise, match="the ceiling holds"):
            judge.absence_written("create", None, draft(2), 3)

    def test_one_write_more_than_the_day_takes_is_refused(self) -> None:
        """Whatever hours of it they came in."""
        judge = self.judge()
        for day in range(3):
            judge.absence_written("create", None, draft(day), day)
            judge.clock.sleep(3_600)
        with pytest.raises(BrokenPromise, match="the ceiling holds"):
            judge.absence_written("create", None, draft(3), 4)

    def test_an_earlier_date_after_a_later_one_is_refused(self) -> None:
        judge = self.judge()
        judge.absence_written("create", None, draft(5), 1)
        judge.absence_written("create", None, draft(0, agent_id=2), 2)
        judge.clock.sleep(3_600)
        with pytest.raises(BrokenPromise, match="nearest first"):
            judge.absence_written("create", None, draft(4), 3)

    @pytest.mark.parametrize("action", ["update", "delete"])
    def test_nothing_but_creating_is_expected(self, action: str) -> None:
        with pytest.raises(BrokenPromise, match="nothing of a person"):
            self.judge().absence_written(action, None, draft(0), 1)
