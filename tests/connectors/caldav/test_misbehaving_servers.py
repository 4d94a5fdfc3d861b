"""A real server behind a proxy that makes it behave as servers of other kinds, and networks, do at times."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from connectors.caldav.settings import ServerProfile
from connectors.errors import (
    AgentMustAct,
    AnswerLost,
    BadItem,
    ConnectorError,
    ITMustAct,
    RetryLater,
    RightsMissing,
    Stale,
)
from connectors.records import EventDraft
from tests.connectors.caldav.bench import CalDavBench
from tests.contract.calendar_contract import draft, versions, vevent
from tests.servers.counting_proxy import Alter, Before, CountingProxy, Cut, Hang, Instead, Reply, Seen
from tests.servers.radicale import RadicaleServer

XML = (("Content-Type", "text/xml; charset=utf-8"),)


@pytest.fixture
def bench(radicale: RadicaleServer) -> Iterator[CalDavBench]:
    with CalDavBench(radicale) as bench:
        yield bench


def multistatus(*rows: str) -> Reply:
    body = f'<multistatus xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">{"".join(rows)}</multistatus>'
    return Reply(207, XML, body.encode())


def row(path: str, status: int) -> str:
    return f"<response><href>{path}</href><status>HTTP/1.1 {status} x</status></response>"


def given(path: str, properties: str) -> str:
    propstat = f"<propstat><prop>{properties}</prop><status>HTTP/1.1 200 OK</status></propstat>"
    return f"<response><href>{path}</href>{propstat}</response>"


def own_row(bench: CalDavBench) -> str:
    kind = "<resourcetype><collection/><C:calendar/></resourcetype>"
    return given(bench.calendar, f"{kind}<sync-token>data:,5</sync-token>")


def without_row(href: str) -> Alter:
    """The answer as if the server did not mention this href."""

    def change(reply: Reply) -> Reply:
        body = re.sub(rb"<response><href>" + re.escape(href.encode()) + rb"</href>.*?</response>", b"", reply.body)
        return Reply(reply.status, reply.headers, body)

    return Alter(change)


def plain(proxy: CountingProxy) -> None:
    """Keep answers uncompressed, so that they can be altered."""
    ask = proxy.ask_upstream

    def without_compression(seen: Seen) -> Reply:
        kept = {name: value for name, value in seen.headers.items() if name != "accept-encoding"}
        return ask(Seen(seen.method, seen.path, seen.depth, kept, seen.body))

    proxy.ask_upstream = without_compression  # type: ignore[method-assign]


# --- an emptied calendar that is none ------------------------------------------------------------------------


@pytest.mark.parametrize("cursor", [None, "http://radicale.org/ns/sync/0"])
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


# --- removals ------------------------------------------------------------------------------------------------


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


# --- tokens --------------------------------------------------------------------------------------------------


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
    changes = bench.account.changes(bench.calendar, "data:,7", {})
    assert changes.complete
    assert changes.present == {href}


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_server_is_not_asked_for_more(bench: CalDavBench, status: int) -> None:
    bench.proxy.when("REPORT", Instead(Reply(status, (("Retry-After", "7"),))))
    with pytest.raises(RetryLater) as raised:
        bench.account.changes(bench.calendar, "data:,7", {})
    assert raised.value.retry_after == 7.0
    assert len(bench.proxy.seen) == 1


def test_an_answer_that_was_cut_is_read_on_to_its_end(bench: CalDavBench) -> None:
    """RFC 6578 section 3.6."""
    hrefs = [bench.other_client_puts(name, vevent(name)) for name in "ab"]
    for number, href in enumerate(hrefs):
        rows = given(href, "<getetag>1</getetag>")
        rest = row(bench.calendar, 507) if number == 0 else ""
        bench.proxy.when("REPORT", Instead(multistatus(rows, rest, f"<sync-token>data:,{8 + number}</sync-token>")))
    changes = bench.account.changes(bench.calendar, "data:,7", {})
    assert {item.href for item in changes.items} == set(hrefs)
    assert changes.cursor == "data:,9"


def test_neither_limit_nor_data_is_asked_of_a_sync_report(bench: CalDavBench) -> None:
    """Some servers cut at a limit and say nothing, others leave the data out."""
    first = bench.account.changes(bench.calendar, None, {})
    bench.proxy.forget()
    bench.account.changes(bench.calendar, first.cursor, {})
    (report,) = [seen for seen in bench.proxy.seen if seen.method == "REPORT"]
    assert report.depth == "0"
    assert b"limit" not in report.body
    assert b"calendar-data" not in report.body


# --- items ---------------------------------------------------------------------------------------------------


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


# --- connections ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep_alive", ["no", "silent"])
def test_a_server_that_closes_after_each_answer_loses_nothing(radicale: RadicaleServer, keep_alive: str) -> None:
    with CalDavBench(radicale, keep_alive=keep_alive) as bench:
        for number in range(10):
            item = bench.account.create(bench.calendar, draft(f"rdvgw-{number}"))
            item = bench.account.update(bench.calendar, item, draft(f"rdvgw-{number}", summary="x"), notes=True)
            assert bench.account.read(bench.calendar, item.href) == item
            bench.account.delete(bench.calendar, item)


@pytest.mark.parametrize("method", ["PROPFIND", "REPORT", "GET"])
def test_a_reading_that_is_cut_is_sent_once_more_and_only_once(bench: CalDavBench, method: str) -> None:
    href = bench.other_client_puts("a", vevent("a"))
    bench.proxy.when(method, Cut())
    assert bench.account.read(bench.calendar, href) is not None
    assert bench.account.changes(bench.calendar, None, {}).complete
    bench.proxy.when(method, Cut(), times=2)

    def read_all() -> None:
        bench.account.read(bench.calendar, href)
        bench.account.changes(bench.calendar, None, {})

    with pytest.raises(RetryLater) as raised:
        read_all()
    assert type(raised.value) is RetryLater


def test_a_conditional_write_that_never_arrived_is_sent_once_more(bench: CalDavBench) -> None:
    bench.proxy.when("PUT", Cut())
    item = bench.account.create(bench.calendar, draft())
    bench.proxy.when("PUT", Cut())
    item = bench.account.update(bench.calendar, item, draft(summary="x"), notes=True)
    bench.proxy.when("DELETE", Cut())
    bench.account.delete(bench.calendar, item)
    assert bench.account.read(bench.calendar, item.href) is None


def test_a_delete_whose_answer_was_lost_is_done(bench: CalDavBench) -> None:
    item = bench.account.create(bench.calendar, draft())
    bench.proxy.when("DELETE", Cut(forward=True))
    bench.account.delete(bench.calendar, item)
    assert bench.account.read(bench.calendar, item.href) is None


@pytest.mark.parametrize("forward", [False, True])
def test_a_server_that_hangs_is_given_up(bench: CalDavBench, forward: bool) -> None:
    impatient = bench.other_account(read_timeout=0.2)
    item = bench.account.create(bench.calendar, draft())
    bench.proxy.when(None, Hang(30, forward), times=None)
    with pytest.raises(RetryLater) as raised:
        impatient.look()
    assert type(raised.value) is RetryLater
    for write in (
        lambda: impatient.create(bench.calendar, draft("rdvgw-2")),
        lambda: impatient.update(bench.calendar, item, draft(summary="x"), notes=True),
        lambda: impatient.delete(bench.calendar, item),
    ):
        with pytest.raises(AnswerLost):
            write()


def test_an_answer_that_never_ends_is_given_up(bench: CalDavBench) -> None:
    with pytest.raises(RetryLater, match="does not end"):
        bench.other_account(answer_limit=0.0).look()


def test_a_server_that_is_away_was_not_written_to(bench: CalDavBench) -> None:
    item = bench.account.create(bench.calendar, draft())
    undiscovered = bench.other_account(home=None)
    bench.proxy.stop()
    for ask in (
        bench.account.look,
        lambda: bench.account.create(bench.calendar, draft("rdvgw-2")),
        lambda: bench.account.update(bench.calendar, item, draft(), notes=True),
        lambda: bench.account.delete(bench.calendar, item),
        undiscovered.discover,
    ):
        with pytest.raises(RetryLater) as raised:
            ask()
        assert type(raised.value) is RetryLater


def test_no_more_requests_at_a_time_than_allowed(bench: CalDavBench) -> None:
    account = bench.other_account(max_connections=2)
    account.look()
    bench.proxy.forget()
    threads = [threading.Thread(target=account.look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bench.proxy.seen) == 8
    assert bench.proxy.peak <= 2


# --- writes that are refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 404, 405, 409, 412, 413, 415, 422, 500])
def test_an_item_that_is_refused_is_a_bad_item_while_its_calendar_answers(bench: CalDavBench, status: int) -> None:
    item = bench.account.create(bench.calendar, draft())
    bench.proxy.when("PUT", Instead(Reply(status)), times=None)
    with pytest.raises(BadItem):
        bench.account.create(bench.calendar, draft("rdvgw-2"))
    with pytest.raises(BadItem):
        bench.account.update(bench.calendar, item, draft(summary="x"), notes=True)


@pytest.mark.parametrize("status", [400, 404, 409, 500])
def test_a_write_into_a_calendar_that_is_gone_concerns_it(bench: CalDavBench, status: int) -> None:
    bench.proxy.when("PUT", Instead(Reply(status)))
    bench.proxy.when("PROPFIND", Instead(Reply(404)))
    with pytest.raises(ITMustAct):
        bench.account.create(bench.calendar, draft())


@pytest.mark.parametrize("status", [400, 500, 502, 503])
def test_an_error_is_no_proof_that_nothing_was_written(bench: CalDavBench, status: int) -> None:
    bench.proxy.when("PUT", Instead(Reply(status), forward=True))
    with pytest.raises(AnswerLost):
        bench.account.create(bench.calendar, draft())
    item = bench.account.read(bench.calendar, bench.account.href_of(bench.calendar, "rdvgw-1"))
    assert item is not None
    bench.proxy.when("PUT", Instead(Reply(status), forward=True))
    with pytest.raises(AnswerLost):
        bench.account.update(bench.calendar, item, draft(summary="x"), notes=True)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(403), RightsMissing),
        (Reply(302, (("Location", "/elsewhere.ics"),)), ITMustAct),
        (Reply(507), ITMustAct),
        (Reply(503, (("Retry-After", "7"),)), RetryLater),
        (Reply(429, (("Retry-After", "7"),)), RetryLater),
    ],
)
def test_a_write_that_was_not_done_says_whom_it_concerns(
    bench: CalDavBench, reply: Reply, error: type[ConnectorError]
) -> None:
    item = bench.account.create(bench.calendar, draft())
    bench.proxy.when("PUT", Instead(reply), times=None)
    bench.proxy.when("DELETE", Instead(reply), times=None)
    bench.proxy.forget()
    for write in (
        lambda: bench.account.create(bench.calendar, draft("rdvgw-2")),
        lambda: bench.account.update(bench.calendar, item, draft(summary="x"), notes=True),
        lambda: bench.account.delete(bench.calendar, item),
    ):
        with pytest.raises(error) as raised:
            write()
        assert type(raised.value) is error
        if isinstance(raised.value, RetryLater):
            assert raised.value.retry_after == 7.0
    assert bench.proxy.methods() == ["PUT", "PUT", "DELETE"]


def test_a_write_that_cannot_be_read_again_is_lost(bench: CalDavBench) -> None:
    bench.proxy.when("GET", Instead(Reply(404)))
    with pytest.raises(AnswerLost):
        bench.account.create(bench.calendar, draft())


# --- servers that keep no promise ----------------------------------------------------------------------------


def ignoring_conditions(proxy: CountingProxy) -> None:
    ask = proxy.ask_upstream

    def unconditionally(seen: Seen) -> Reply:
        kept = {name: value for name, value in seen.headers.items() if name not in ("if-match", "if-none-match")}
        return ask(Seen(seen.method, seen.path, seen.depth, kept, seen.body))

    proxy.ask_upstream = unconditionally  # type: ignore[method-assign]


def test_where_no_condition_protects_it_is_looked_before(bench: CalDavBench) -> None:
    """SOGo: a create overwrites, a DELETE removes what has changed."""
    careful = bench.other_account(profile=ServerProfile("careless"))
    ignoring_conditions(bench.proxy)
    created = careful.create(bench.calendar, draft())
    with pytest.raises(Stale):
        careful.create(bench.calendar, draft(summary="x"))
    changed = bench.other_client_puts("rdvgw-1", vevent("rdvgw-1", "X-PERSONAL:1"))
    with pytest.raises(Stale):
        careful.delete(bench.calendar, created)
    there = careful.read(bench.calendar, changed)
    assert there is not None
    careful.delete(bench.calendar, there)
    assert careful.read(bench.calendar, changed) is None
    careful.delete(bench.calendar, there)


def test_an_unprotected_create_is_never_sent_twice(bench: CalDavBench) -> None:
    careful = bench.other_account(profile=ServerProfile("careless"))
    bench.proxy.when("PUT", Cut(), times=None)
    with pytest.raises(AnswerLost):
        careful.create(bench.calendar, draft())
    assert bench.proxy.methods().count("PUT") == 1


@pytest.mark.parametrize("etag", ['W/"1"', "", "unquoted"])
def test_without_a_usable_etag_the_item_itself_is_compared(bench: CalDavBench, etag: str) -> None:
    """RFC 9110 section 13.1.1: a weak one never matches."""

    def weaken(reply: Reply) -> Reply:
        kept = tuple((name, value) for name, value in reply.headers if name.lower() != "etag")
        return Reply(reply.status, (*kept, ("ETag", etag)) if etag else kept, reply.body)

    bench.proxy.when("GET", Alter(weaken), times=None)
    item = bench.account.create(bench.calendar, draft())
    assert item.version == etag
    item = bench.account.update(bench.calendar, item, draft(summary="x"), notes=True)
    bench.other_client_puts("rdvgw-1", vevent("rdvgw-1", "X-PERSONAL:1"))
    with pytest.raises(Stale):
        bench.account.update(bench.calendar, item, draft(), notes=True)
    with pytest.raises(Stale):
        bench.account.delete(bench.calendar, item)
    there = bench.account.read(bench.calendar, item.href)
    assert there is not None
    bench.account.delete(bench.calendar, there)


def test_where_writing_sends_mail_an_event_with_people_is_left_alone(bench: CalDavBench) -> None:
    mailing = bench.other_account(profile=ServerProfile("mailing", create_condition=True, sends_mail=True))
    item = mailing.create(bench.calendar, draft())
    mailing.update(bench.calendar, item, draft(summary="x"), notes=True)
    bench.other_client_puts("rdvgw-1", vevent("rdvgw-1", "ATTENDEE:mailto:a@example.org"))
    invited = mailing.read(bench.calendar, item.href)
    assert invited is not None
    bench.proxy.forget()
    with pytest.raises(BadItem, match="mail"):
        mailing.update(bench.calendar, invited, draft(), notes=True)
    with pytest.raises(BadItem, match="mail"):
        mailing.delete(bench.calendar, invited)
    assert bench.proxy.methods() == []


@pytest.mark.parametrize(("status", "error"), [(503, RetryLater), (500, RetryLater), (403, ITMustAct)])
def test_a_discovery_that_fails_says_whom_it_concerns(
    bench: CalDavBench, status: int, error: type[ConnectorError]
) -> None:
    bench.proxy.when("PROPFIND", Instead(Reply(status)), times=None)
    with pytest.raises(error) as raised:
        bench.other_account(home=None).discover()
    assert type(raised.value) is error


# --- credentials and discovery -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "alice/"])
def test_the_home_is_found_from_the_server_and_from_the_principal(bench: CalDavBench, path: str) -> None:
    account = bench.other_account(home=None, url=f"{bench.proxy.url}{path}")
    assert bench.calendar in {info.calendar for info in account.discover()}
    assert account.requests == len(bench.proxy.seen)
    before = account.requests
    account.look()
    assert account.requests - before == 1, "the home is looked for once"


def test_credentials_are_sent_at_once(bench: CalDavBench) -> None:
    """Some servers show an anonymous visitor an account without calendars and never ask."""
    account = bench.other_account(home=None)
    account.discover()
    account.create(bench.calendar, draft())
    assert all("authorization" in seen.headers for seen in bench.proxy.seen)


@pytest.mark.parametrize("first", ["discover", "create", "look"])
def test_a_password_refused_by_either_library_stops_both(bench: CalDavBench, first: str) -> None:
    wrong = bench.other_account(password="not-the-password", home=None)
    asks = {
        "discover": wrong.discover,
        "create": lambda: wrong.create(bench.calendar, draft()),
        "look": wrong.look,
        "changes": lambda: wrong.changes(bench.calendar, None, {}),
    }
    for name in (first, *asks):
        with pytest.raises(AgentMustAct):
            asks[name]()
    assert len(bench.proxy.seen) == 1


def test_many_threads_try_a_wrong_password_once(bench: CalDavBench) -> None:
    wrong = bench.other_account(password="not-the-password", owned_by_it=True)
    errors: list[type[BaseException]] = []

    def look() -> None:
        try:
            wrong.look()
        except ConnectorError as error:
            errors.append(type(error))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [ITMustAct] * 8
    assert len(bench.proxy.seen) == 1


def test_calendars_on_another_server_do_not_get_the_password(bench: CalDavBench) -> None:
    elsewhere = "https://elsewhere.example.org/alice/"
    home = f"<C:calendar-home-set><href>{elsewhere}</href></C:calendar-home-set>"
    answer = given("/alice/", home)
    bench.proxy.when("PROPFIND", Instead(multistatus(answer)), matches=lambda seen: b"calendar-home-set" in seen.body)
    with pytest.raises(ITMustAct, match="another server"):
        bench.other_account(home=None).discover()


@pytest.mark.parametrize(
    "page", [Reply(200, (("Content-Type", "text/html"),), b"<html>Login</html>"), Reply(404), Reply(302)]
)
def test_an_address_that_leads_elsewhere_concerns_it(bench: CalDavBench, page: Reply) -> None:
    bench.proxy.when("PROPFIND", Instead(page), times=None)
    with pytest.raises(ITMustAct):
        bench.other_account(home=None).discover()
    with pytest.raises(ITMustAct):
        bench.account.look()


@pytest.mark.parametrize(
    "url",
    [
        "http://cal.example.org/",
        "ftp://cal.example.org/",
        "cal.example.org",
        "",
        "https://alice:secret@cal.example.org/",
    ],
)
def test_an_address_that_must_not_carry_a_password_is_refused_before_anything_is_sent(
    bench: CalDavBench, url: str
) -> None:
    with pytest.raises(ITMustAct) as raised:
        bench.other_account(url=url)
    assert "secret" not in str(raised.value)
    assert bench.other_account(url="http://cal.example.org/", allow_plain_http=True).host == "cal.example.org:80"


def test_every_request_is_counted(bench: CalDavBench) -> None:
    item = bench.account.create(bench.calendar, draft())
    bench.account.changes(bench.calendar, None, {})
    bench.account.delete(bench.calendar, item)
    assert bench.account.requests == len(bench.proxy.seen) > 4


def test_nothing_personal_is_logged_at_any_level(bench: CalDavBench, caplog: pytest.LogCaptureFixture) -> None:
    """Not by us, and not by the libraries, also when a server repeats what it was sent."""
    secret = EventDraft(
        "rdvgw-1", "m", datetime(2026, 6, 1, 7, tzinfo=UTC), datetime(2026, 6, 1, 8, tzinfo=UTC), "Dentiste"
    )
    with caplog.at_level(logging.DEBUG):
        item = bench.account.create(bench.calendar, secret)
        bench.account.changes(bench.calendar, None, {})
        echo = Reply(400, (("Content-Type", "text/html"),), b"<html>Dentiste</html>")
        bench.proxy.when("PUT", Instead(echo))
        with pytest.raises(BadItem):
            bench.account.update(bench.calendar, item, secret, notes=True)
    assert "Dentiste" not in caplog.text
    assert bench.password not in caplog.text
