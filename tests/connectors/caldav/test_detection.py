"""How changes are found, and what is not believed: tokens, marks, ETags, time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.caldav.cursor import Cursor, short_name
from connectors.caldav.findings import Announced, Caught, Findings
from connectors.caldav.profiles import UNKNOWN_SERVER
from connectors.caldav.provision import make_calendar
from connectors.caldav.reading import LARGE
from connectors.caldav.versions import etag_in, is_news, is_settled, is_unsettled, version_of, went_back
from connectors.errors import Stale
from connectors.records import ReadingScope
from tests.connectors.caldav.bench import NOW, CalDavBench
from tests.contract.calendar_contract import draft, gone, versions, vevent
from tests.servers.dav_double import DavDouble
from tests.servers.radicale import RadicaleServer
from tests.servers.sogo_like import SogoLike
from tests.servers.traits import dead_token_lists_all, empty_deltas, queries_fail
from tests.servers.zimbra_like import ZimbraLike

USERS = {"alice": "secret-alice"}
DAY = timedelta(days=1)


@pytest.fixture
def sogo() -> Iterator[CalDavBench]:
    with SogoLike(USERS) as server, CalDavBench(server) as bench:
        yield bench


@pytest.fixture
def zimbra() -> Iterator[CalDavBench]:
    with ZimbraLike(USERS) as server, CalDavBench(server) as bench:
        yield bench


def double(bench: CalDavBench) -> DavDouble:
    assert isinstance(bench.server, DavDouble)
    return bench.server


def mark_of(bench: CalDavBench) -> str:
    return next(mark.mark for mark in bench.account.look() if mark.calendar == bench.calendar)


def later(cursor: str, **ago: float) -> str:
    """The same cursor as if it had been left so long ago."""
    parsed = Cursor.parse(cursor)
    assert parsed is not None
    return str(replace(parsed, read_at=parsed.read_at - timedelta(**ago)))


# --- marks that are seconds (SOGo) ----------------------------------------------------------------------------------


def test_a_mark_of_the_present_second_proves_nothing(sogo: CalDavBench) -> None:
    server = double(sogo)
    server.step = timedelta()
    sogo.other_client_puts("a", vevent("a"))
    first = sogo.account.changes(sogo.calendar, None, {})
    assert (first.mark, mark_of(sogo)) == ("", "")
    missed = sogo.other_client_puts("b", vevent("b"))  # within the same second: the mark stands still
    server.clock += timedelta(seconds=2)
    mark = mark_of(sogo)
    assert mark != first.mark
    second = sogo.account.changes(sogo.calendar, first.cursor, versions(first))
    assert missed in versions(second)
    assert second.mark == mark
    assert sogo.account.traits()[-1].value.endswith("times")


@pytest.mark.parametrize(
    ("mark", "at", "settled"),
    [
        ("1777885200", 1777885200, False),
        ("1777885200", 1777885201, False),
        ("1777885200", 1777885202, True),
        ("1777885200", 1777885199, False),  # its clock is before ours
        ("data:,17", 1777885200, True),
        ("data:,1777885200-17 5", 1777885200, True),  # Cyrus: no second, a number of the folder
        ("1777885200 1777885200", 1777885200, False),
        ("0123456789abcdef", 123456789, True),
    ],
)
def test_which_marks_may_still_move_unseen(mark: str, at: int, settled: bool) -> None:
    assert is_settled(mark, datetime.fromtimestamp(at, UTC)) is settled


# --- ETags that come back -------------------------------------------------------------------------------------------


def test_an_equal_etag_with_another_content_is_read_again(sogo: CalDavBench) -> None:
    href = sogo.other_client_puts("a", vevent("a"))
    first = sogo.account.changes(sogo.calendar, None, {})
    sogo.other_client_deletes(href)
    sogo.other_client_puts("a", vevent("a", "SUMMARY:other"))
    second = sogo.account.changes(sogo.calendar, first.cursor, versions(first))
    assert [item.href for item in second.items] == [href]
    assert etag_in(second.items[0].version) == etag_in(first.items[0].version)


def test_what_came_back_under_the_same_etag_is_neither_overwritten_nor_removed(sogo: CalDavBench) -> None:
    item = sogo.account.create(sogo.calendar, draft())
    sogo.other_client_deletes(item.href)
    sogo.other_client_puts("rdvgw-1", vevent("rdvgw-1", "SUMMARY:other"))
    with pytest.raises(Stale):
        sogo.account.update(sogo.calendar, item, draft(summary="ours"), notes=True)
    with pytest.raises(Stale):
        sogo.account.delete(sogo.calendar, item)
    there = sogo.account.read(sogo.calendar, item.href)
    assert there is not None
    assert b"SUMMARY:other" in there.body


def test_a_version_of_the_present_second_is_looked_at_again() -> None:
    second = "Mon, 04 May 2026 09:00:00 GMT"
    at = datetime(2026, 5, 4, 9, tzinfo=UTC)
    unsettled = version_of('"gcs00000000"', second, at + timedelta(seconds=1))
    settled = version_of('"gcs00000000"', second, at + timedelta(seconds=2))
    assert is_unsettled(unsettled)
    assert not is_unsettled(settled)
    assert etag_in(unsettled) == etag_in(settled) == '"gcs00000000"'
    assert version_of('"5d41402abc4b2a76b9719d911017c592"', second, at) == '"5d41402abc4b2a76b9719d911017c592"'
    assert is_unsettled(version_of('"gcs00000000"', "", at))  # nobody says when it was changed


@pytest.mark.parametrize(
    ("version", "known", "news"),
    [
        ('"abc"', None, True),
        ('"abc"', '"abc"', False),
        ('"abc"', '"def"', True),
        ("", "", True),
        ('"gcs00000000" ?', '"gcs00000000" ?', True),
        ('"gcs00000000" ?', '"gcs00000000" Mon, 04 May 2026 09:00:00 GMT', True),
        ('"gcs00000000" Mon, 04 May 2026 09:00:00 GMT', '"gcs00000000" Mon, 04 May 2026 09:00:00 GMT', False),
        ('"gcs00000000" Mon, 04 May 2026 09:00:05 GMT', '"gcs00000000" Mon, 04 May 2026 09:00:00 GMT', True),
    ],
)
def test_which_versions_are_read_again(version: str, known: str | None, news: bool) -> None:
    assert is_news(version, known) is news


def test_an_unchanged_calendar_is_not_read_again_though_only_its_listing_tells_times(sogo: CalDavBench) -> None:
    for number in range(5):
        sogo.other_client_puts(f"e{number}", vevent(f"e{number}"))
    first = sogo.account.changes(sogo.calendar, None, {})
    assert not any(is_unsettled(item.version) for item in first.items)
    again = sogo.account.changes(sogo.calendar, None, versions(first))
    assert again.items == ()


def test_a_dead_token_is_noticed_though_the_answer_tells_no_times(sogo: CalDavBench) -> None:
    for number in range(5):
        sogo.other_client_puts(f"e{number}", vevent(f"e{number}"))
    first = sogo.account.changes(sogo.calendar, None, {})
    again = sogo.account.changes(sogo.calendar, sogo.dead_cursor(), versions(first))
    assert again.complete
    assert again.items == ()


# --- sync-tokens that lie -------------------------------------------------------------------------------------------


def test_a_dead_token_that_is_answered_with_all_there_is_leaves_no_ghost(radicale: RadicaleServer) -> None:
    with CalDavBench(radicale, traits=[dead_token_lists_all]) as bench:
        hrefs = [bench.other_client_puts(f"e{number}", vevent(f"e{number}")) for number in range(4)]
        known = versions(bench.account.changes(bench.calendar, None, {}))
        bench.other_client_deletes(hrefs[0])
        again = bench.account.changes(bench.calendar, bench.dead_cursor(), known)
        assert gone(again, known) == {hrefs[0]}
        assert Caught.REPEATS in bench.account._server.findings.caught


def test_a_token_that_moves_without_a_change_being_told_leads_to_a_listing(radicale: RadicaleServer) -> None:
    with CalDavBench(radicale, traits=[empty_deltas]) as bench:
        href = bench.other_client_puts("a", vevent("a"))
        first = bench.account.changes(bench.calendar, None, {})
        bench.other_client_deletes(href)
        second = bench.account.changes(bench.calendar, first.cursor, versions(first))
        assert gone(second, versions(first)) == {href}


def test_a_server_that_is_caught_twice_leaving_changes_out_is_asked_for_listings_from_then_on(
    radicale: RadicaleServer,
) -> None:
    with CalDavBench(radicale, traits=[empty_deltas]) as bench:
        changes = bench.account.changes(bench.calendar, None, {})
        for number in range(2):
            bench.other_client_puts(f"e{number}", vevent(f"e{number}"))
            known = versions(changes)
            changes = bench.account.changes(bench.calendar, changes.cursor, known)
        assert not bench.account._server.findings.trusts_tokens
        bench.other_client_puts("more", vevent("more"))
        bench.proxy.forget()
        bench.account.changes(bench.calendar, changes.cursor, versions(changes))
        assert bench.proxy.methods() == ["PROPFIND", "REPORT"]


def test_after_a_gap_of_more_than_a_week_no_token_is_trusted(radicale: RadicaleServer) -> None:
    """DAViCal forgets tokens of that age, and says nothing."""
    with CalDavBench(radicale) as bench:
        bench.other_client_puts("a", vevent("a"))
        first = bench.account.changes(bench.calendar, None, {})
        assert not bench.account.changes(bench.calendar, later(first.cursor, days=7), versions(first)).complete
        assert bench.account.changes(bench.calendar, later(first.cursor, days=7, seconds=1), versions(first)).complete


def test_a_calendar_that_was_made_anew_is_listed(radicale: RadicaleServer) -> None:
    with CalDavBench(radicale) as bench:
        token = Cursor.parse(bench.account.changes(bench.calendar, None, {}).cursor)
        assert token is not None
        bench.proxy.behave()
        old = replace(token, identity="urn:uuid:of-the-one-before")
        state = "connectors.caldav.asking.identity_of"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(state, lambda _: "urn:uuid:now")
            patch.setattr("connectors.caldav.reading.identity_of", lambda _: "urn:uuid:now")
            assert bench.account.changes(bench.calendar, str(old), {}).complete
            assert not bench.account.changes(bench.calendar, str(replace(token, identity="urn:uuid:now")), {}).complete


def test_a_smaller_token_at_the_same_address_is_another_calendar() -> None:
    """sabre/dav answers such a token with nothing at all."""
    with DavDouble(USERS) as server, CalDavBench(server, profile=UNKNOWN_SERVER) as bench:
        for number in range(3):
            bench.other_client_puts(f"e{number}", vevent(f"e{number}"))
        first = bench.account.changes(bench.calendar, None, {})
        del server.calendars[bench.calendar]
        make_calendar(server.url, "alice", "secret-alice", bench.calendar, "Agenda")
        bench.other_client_puts("new", vevent("new"))
        second = bench.account.changes(bench.calendar, first.cursor, versions(first))
        assert gone(second, versions(first)) == set(versions(first))
        assert list(versions(second)) == [f"{bench.calendar}new.ics"]


# --- large calendars without tokens (Zimbra) ------------------------------------------------------------------------

SCOPE = ReadingScope(NOW - 60 * DAY, NOW + 70 * DAY)


def at(moment: datetime) -> dict[str, str]:
    return {
        "start": f"DTSTART:{moment:%Y%m%dT%H%M%SZ}",
        "end": f"DTEND:{moment + timedelta(hours=1):%Y%m%dT%H%M%SZ}",
    }


def fill_old(bench: CalDavBench, count: int) -> None:
    for number in range(count):
        name = f"old{number}"
        body = vevent(name, **at(NOW - 400 * DAY - timedelta(hours=number)))
        double(bench).fill(f"{bench.calendar}{name}.ics", body.encode())


def test_a_large_calendar_without_tokens_is_read_by_the_days_that_matter(zimbra: CalDavBench) -> None:
    fill_old(zimbra, LARGE)
    near, moved, leaving = (
        zimbra.other_client_puts(name, vevent(name, **at(NOW + DAY))) for name in ("near", "moved", "leaving")
    )
    ours = zimbra.other_client_puts("ours", vevent("ours", **at(NOW + 900 * DAY)))
    scope = replace(SCOPE, hrefs=frozenset({ours}))
    first = zimbra.account.changes(zimbra.calendar, None, {}, scope)
    known = versions(first)
    assert len(known) == LARGE + 4
    zimbra.other_client_deletes(near)
    zimbra.other_client_puts("leaving", vevent("leaving", **at(NOW + 300 * DAY)))
    zimbra.other_client_puts("moved", vevent("moved", **at(NOW + 2 * DAY)))
    zimbra.other_client_puts("ours", vevent("ours", "SUMMARY:x", **at(NOW + 900 * DAY)))
    new = zimbra.other_client_puts("new", vevent("new", **at(NOW + 3 * DAY)))
    far = zimbra.other_client_puts("far", vevent("far", **at(NOW + 500 * DAY)))
    zimbra.proxy.forget()
    second = zimbra.account.changes(zimbra.calendar, first.cursor, known, scope)
    assert not second.complete
    assert {item.href for item in second.items} == {moved, leaving, ours, new}
    assert second.removed == {near}
    assert len(zimbra.proxy.seen) <= 6
    assert far not in versions(second)  # told by the next whole listing, within a day
    third = zimbra.account.changes(zimbra.calendar, aged(second.cursor, days=2), known | versions(second), scope)
    assert third.complete
    assert [item.href for item in third.items] == [far]


def test_a_small_calendar_without_tokens_is_listed_whole(zimbra: CalDavBench) -> None:
    zimbra.other_client_puts("a", vevent("a"))
    first = zimbra.account.changes(zimbra.calendar, None, {}, SCOPE)
    zimbra.other_client_puts("b", vevent("b"))
    assert zimbra.account.changes(zimbra.calendar, first.cursor, versions(first), SCOPE).complete


def test_where_queries_fail_a_large_calendar_is_listed_whole() -> None:
    with ZimbraLike(USERS) as server, CalDavBench(server, traits=[queries_fail]) as bench:
        fill_old(bench, LARGE)
        first = bench.account.changes(bench.calendar, None, {}, SCOPE)
        href = bench.other_client_puts("a", vevent("a", **at(NOW)))
        second = bench.account.changes(bench.calendar, first.cursor, versions(first), SCOPE)
        assert second.complete
        assert list(versions(second)) == [href]


# --- from time to time ----------------------------------------------------------------------------------------------


def aged(cursor: str, **ago: float) -> str:
    """The same cursor as if all of the calendar had been listed so long ago."""
    parsed = Cursor.parse(cursor)
    assert parsed is not None
    return str(replace(parsed, listed_at=parsed.listed_at - timedelta(**ago)))


def test_each_calendar_is_listed_whole_once_a_week_whatever_its_marks_say(radicale: RadicaleServer) -> None:
    with CalDavBench(radicale) as bench:
        bench.other_client_puts("a", vevent("a"))
        first = bench.account.changes(bench.calendar, None, {})
        assert not bench.account.is_due(bench.calendar, first.cursor)
        old = aged(first.cursor, days=7)
        assert bench.account.is_due(bench.calendar, old)
        assert bench.account.changes(bench.calendar, old, versions(first)).complete
        assert bench.account.is_due(bench.calendar, None)


def test_whole_listings_of_many_calendars_are_spread() -> None:
    ages = [timedelta(hours=hours) for hours in range(24 * 8)]
    cursor = Cursor(NOW, NOW)
    due = [next(age for age in ages if cursor.sweep_is_due(f"/c/{n}/", NOW + age)) for n in range(500)]
    assert min(due) >= timedelta(days=5)
    assert max(due) <= timedelta(days=7)
    assert max(due.count(hour) for hour in ages) < 50


def test_marks_that_stood_still_while_items_changed_are_not_trusted_any_more(radicale: RadicaleServer) -> None:
    with CalDavBench(radicale) as bench:
        bench.other_client_puts("a", vevent("a"))
        first = bench.account.changes(bench.calendar, None, {})
        for _ in range(2):
            bench.account.changes(bench.calendar, aged(first.cursor, days=7), {})
        assert not bench.account._server.findings.trusts_marks
        assert mark_of(bench) == ""


# --- values ---------------------------------------------------------------------------------------------------------

TEXTS = st.text(max_size=20)
INSTANTS = st.datetimes(timezones=st.just(UTC))


CURSORS = st.builds(
    Cursor, INSTANTS, INSTANTS, TEXTS, TEXTS, TEXTS, st.frozensets(TEXTS.map(short_name), max_size=9), st.booleans()
)
NO_CURSORS = ["{}", "[]", '{"v":2}', '{"v":2,"read":"x","listed":"x"}', '{"v":1}', "3"]


@given(CURSORS)
def test_a_cursor_is_read_as_it_was_written(cursor: Cursor) -> None:
    assert Cursor.parse(str(cursor)) == cursor


@given(st.one_of(st.none(), st.text(), st.sampled_from(NO_CURSORS)))
def test_what_is_no_cursor_is_none(text: str | None) -> None:
    assert Cursor.parse(text) is None


def test_findings_are_read_as_they_were_written_and_forgotten_with_another_version() -> None:
    found = Findings().with_announced("Cyrus/3.6", {Announced.CTAG}).with_caught(Caught.TOKEN_LIES)
    found = found.with_caught(Caught.TOKEN_LIES)
    assert Findings.parse(str(found)) == found
    assert not found.trusts_tokens
    assert found.with_announced("Cyrus/3.8", ()).trusts_tokens
    assert Findings.parse("nonsense") == Findings()


@pytest.mark.parametrize(
    ("old", "new", "back"),
    [("data:,7", "data:,6", True), ("data:,7", "data:,7", False), ("a7", "b6", False), ("x", "y", False)],
)
def test_when_a_token_went_back(old: str, new: str, back: bool) -> None:
    assert went_back(old, new) is back
