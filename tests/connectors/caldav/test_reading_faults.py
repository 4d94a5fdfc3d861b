"""Reading from a real server behind a proxy that makes it behave as servers of other kinds do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from connectors.errors import (
    ConnectorError,
    ITMustAct,
    RetryLater,
    RightsMissing,
)
from tests.connectors.caldav.answers import (
    XML,
    given,
    multistatus,
    own_row,
    plain,
    row,
    without_row,
)
from tests.connectors.caldav.bench import CalDavBench, cursor_at, token_in
from tests.contract.calendar_contract import versions, vevent
from tests.servers.counting_proxy import Before, Instead, Reply
from tests.servers.radicale import RadicaleServer


@pytest.fixture
def bench(radicale: RadicaleServer) -> Iterator[CalDavBench]:
    with CalDavBench(radicale) as bench:
        yield bench


# --- an emptied calendar that is none -------------------------------------------------------------------------------


@pytest.mark.parametrize("cursor", [None, cursor_at("http://radicale.org/ns/sync/0")])
@pytest.mark.parametrize(
    ("rows", "error"),
    [
        (lambda b: [row(b.calendar, 404)], ITMustAct),  # Xandikos, when the calendar is gone
        (lambda b: [row(b.calendar, 403), row(b.calendar + "a.ics", 403)], RightsMissing),  # sabre, without the right
        (lambda b: [own_row(b), row(b.calendar + "a.ics", 403)], RightsMissing),
        (lambda b: [own_row(b), row(b.calendar + "a.ics", 500)], RetryLater),
        (lambda b: [own_row(b), row(b.calendar + "a.ics", 404)], RetryLater),
        (lambda b: [], ITMustAct),
        (lambda b: [row("/alice/other/", 200)], ITMustAct),
        (lambda b: [own_row(b).replace("<C:calendar/>", "")], ITMustAct),
    ],
    ids=["own 404", "all 403", "item 403", "item 500", "item 404", "no row", "other calendar", "no calendar"],
)
def test_a_listing_that_does_not_prove_itself_is_an_error_and_never_empty(
    bench: CalDavBench,
    rows: Callable[[CalDavBench], list[str]],
    error: type[ConnectorError],
    cursor: str | None,
) -> None:
    bench.proxy.when("PROPFIND", Instead(multistatus(*rows(bench))), times=None)
    bench.proxy.when("REPORT", Instead(multistatus(row(bench.calendar, 404))), times=None)
    with pytest.raises(error) as raised:
        bench.account.changes(bench.calendar, cursor, {bench.calendar + "a.ics": '"1"'})
    assert type(raised.value) is error


@pytest.mark.parametrize(
    ("status", "error"), [(404, ITMustAct), (403, RightsMissing), (500, RetryLater), (301, ITMustAct)]
)
def test_a_calendar_that_does_not_answer_is_not_read_as_anything(
    bench: CalDavBench, status: int, error: type[ConnectorError]
) -> None:
    href = bench.other_client_puts("a", vevent("a"))
    first = bench.account.changes(bench.calendar, None, {})
    bench.proxy.when(None, Instead(Reply(status)), times=None)
    for cursor in (None, first.cursor):
        with pytest.raises(error):
            bench.account.changes(bench.calendar, cursor, versions(first))
    with pytest.raises(error):
        bench.account.read(bench.calendar, href)


def test_no_calendar_at_all_is_an_error_and_never_an_empty_answer(bench: CalDavBench) -> None:
    home = given("/alice/", "<resourcetype><collection/></resourcetype>")
    bench.proxy.when("PROPFIND", Instead(multistatus(home)), times=None)
    for ask in (bench.account.look, bench.account.discover):
        with pytest.raises(ITMustAct, match="no calendar"):
            ask()


def test_an_anonymous_visitor_is_told_and_not_taken_for_the_account(bench: CalDavBench) -> None:
    who = "<current-user-principal><unauthenticated/></current-user-principal>"
    answer = multistatus(own_row(bench).replace("<sync-token>", f"{who}<sync-token>"))
    bench.proxy.when("PROPFIND", Instead(answer), times=None)
    with pytest.raises(ITMustAct, match="anonymous"):
        bench.account.discover()


# --- removals -------------------------------------------------------------------------------------------------------


def test_a_removal_that_the_server_only_claims_is_not_believed(bench: CalDavBench) -> None:
    href = bench.other_client_puts("a", vevent("a"))
    first = bench.account.changes(bench.calendar, None, {})
    claim = (
        f"{row(href, 404)}{row(bench.calendar + 'never-held.ics', 404)}<sync-token>http://radicale.org/x</sync-token>"
    )
    bench.proxy.when("REPORT", Instead(multistatus(claim)))
    bench.proxy.forget()
    delta = bench.account.changes(bench.calendar, first.cursor, versions(first))
    assert delta.removed == frozenset()
    assert delta.items == ()
    assert [seen.path for seen in bench.proxy.seen if seen.method == "GET"] == [href]
    assert delta.mark == "", "the state that was read is not the one that the calendar has now"


def test_a_removal_counts_only_while_the_calendar_answers(bench: CalDavBench) -> None:
    href = bench.other_client_puts("a", vevent("a"))
    first = bench.account.changes(bench.calendar, None, {})
    bench.other_client_deletes(href)
    bench.proxy.when("PROPFIND", Instead(Reply(404)))
    with pytest.raises(ITMustAct):
        bench.account.changes(bench.calendar, first.cursor, versions(first))
    bench.proxy.when("PROPFIND", Instead(Reply(404)))
    with pytest.raises(ITMustAct):
        bench.account.read(bench.calendar, href)


def test_a_removal_is_not_judged_from_an_error(bench: CalDavBench) -> None:
    href = bench.other_client_puts("a", vevent("a"))
    first = bench.account.changes(bench.calendar, None, {})
    bench.other_client_deletes(href)
    bench.proxy.when("GET", Instead(Reply(403)))
    delta = bench.account.changes(bench.calendar, first.cursor, versions(first))
    assert delta.removed == frozenset()
    assert [(path, reason) for path, _, reason in delta.unreadable] == [(href, "the server answers 403 for it")]


# --- tokens ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        Reply(403, XML, b'<error xmlns="DAV:"><valid-sync-token/></error>'),
        Reply(412, XML, b'<error xmlns="DAV:"><valid-sync-token/></error>'),
        Reply(409, XML, b'<error xmlns="DAV:"><valid-sync-token/></error>'),
        Reply(400),
        Reply(403),
        Reply(500),
        Reply(501),
        Reply(507),
        Reply(207, XML, b"<html>"),
        multistatus(),  # no token to go on from
        multistatus("<sync-token>data:,3</sync-token>"),  # counts backwards
    ],
)
def test_a_token_that_is_refused_or_no_use_leads_to_a_whole_listing(bench: CalDavBench, reply: Reply) -> None:
    href = bench.other_client_puts("a", vevent("a"))
    bench.proxy.when("REPORT", Instead(reply))
    changes = bench.account.changes(bench.calendar, cursor_at("data:,7"), {})
    assert changes.complete
    assert changes.present == {href}


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_server_is_not_asked_for_more(bench: CalDavBench, status: int) -> None:
    bench.proxy.when("REPORT", Instead(Reply(status, (("Retry-After", "7"),))))
    with pytest.raises(RetryLater) as raised:
        bench.account.changes(bench.calendar, cursor_at("data:,7"), {})
    assert raised.value.retry_after == 7.0
    assert len(bench.proxy.seen) == 1


def test_an_answer_that_was_cut_is_read_on_to_its_end(bench: CalDavBench) -> None:
    """RFC 6578 section 3.6."""
    hrefs = [bench.other_client_puts(name, vevent(name)) for name in "ab"]
    for number, href in enumerate(hrefs):
        rows = given(href, "<getetag>1</getetag>")
        rest = row(bench.calendar, 507) if number == 0 else ""
        bench.proxy.when("REPORT", Instead(multistatus(rows, rest, f"<sync-token>data:,{8 + number}</sync-token>")))
    changes = bench.account.changes(bench.calendar, cursor_at("data:,7"), {})
    assert {item.href for item in changes.items} == set(hrefs)
    assert token_in(changes.cursor) == "data:,9"


def test_neither_limit_nor_data_is_asked_of_a_sync_report(bench: CalDavBench) -> None:
    """Some servers cut at a limit and say nothing, others leave the data out."""
    first = bench.account.changes(bench.calendar, None, {})
    bench.proxy.forget()
    bench.account.changes(bench.calendar, first.cursor, {})
    (report,) = [seen for seen in bench.proxy.seen if seen.method == "REPORT"]
    assert report.depth == "0"
    assert b"limit" not in report.body
    assert b"calendar-data" not in report.body


# --- items ----------------------------------------------------------------------------------------------------------


def test_an_item_that_the_batch_leaves_out_is_read_by_itself(bench: CalDavBench) -> None:
    plain(bench.proxy)
    left_out, other = (bench.other_client_puts(name, vevent(name)) for name in "ab")
    bench.proxy.when("REPORT", without_row(left_out))
    changes = bench.account.changes(bench.calendar, None, {})
    assert {item.href for item in changes.items} == {left_out, other}
    assert not changes.unreadable


def test_an_item_that_vanishes_between_listing_and_reading_is_dropped(bench: CalDavBench) -> None:
    gone, other = (bench.other_client_puts(name, vevent(name)) for name in "ab")
    bench.proxy.when("REPORT", Before(lambda: bench.other_client_deletes(gone)))
    changes = bench.account.changes(bench.calendar, None, {})
    assert [item.href for item in changes.items] == [other]
    assert not changes.unreadable


def test_what_changes_during_a_reading_is_in_the_next_one(bench: CalDavBench) -> None:
    bench.other_client_puts("a", vevent("a"))
    late: list[str] = []
    bench.proxy.when("REPORT", Before(lambda: late.append(bench.other_client_puts("b", vevent("b")))))
    first = bench.account.changes(bench.calendar, None, {})
    assert late[0] not in first.present
    marks = {mark.calendar: mark.mark for mark in bench.account.look()}
    assert marks[bench.calendar] != first.mark
    second = bench.account.changes(bench.calendar, first.cursor, versions(first))
    assert [item.href for item in second.items] == late


@pytest.mark.parametrize("batch", [Reply(500), Reply(207, XML, b"<multistatus>\x0b")])
def test_an_item_that_spoils_its_batch_is_set_aside_and_the_others_are_read(bench: CalDavBench, batch: Reply) -> None:
    bad, good = (bench.other_client_puts(name, vevent(name)) for name in "ab")
    bench.proxy.when("REPORT", Instead(batch))
    bench.proxy.when("GET", Instead(Reply(500)), path=bad)
    changes = bench.account.changes(bench.calendar, None, {})
    assert changes.complete
    assert changes.present == {bad, good}
    assert [item.href for item in changes.items] == [good]
    assert [(href, reason) for href, _, reason in changes.unreadable] == [(bad, "the server answers 500 for it")]


def test_a_single_item_is_asked_for_uncompressed(bench: CalDavBench) -> None:
    """Web servers mark the ETag of a compressed answer: it would be another version, and match no more."""
    href = bench.other_client_puts("a", vevent("a"))
    bench.account.read(bench.calendar, href)
    bench.account.changes(bench.calendar, None, {})
    asked = {seen.method: seen.headers["accept-encoding"] for seen in bench.proxy.seen}
    assert asked == {"GET": "identity", "PROPFIND": "gzip", "REPORT": "gzip"}
