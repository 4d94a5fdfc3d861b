"""Writing to a real server behind a proxy that makes it behave as servers of other kinds do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.caldav.profiles import ServerProfile
from connectors.errors import (
    AnswerLost,
    BadItem,
    ConnectorError,
    ITMustAct,
    RetryLater,
    RightsMissing,
    Stale,
)
from tests.connectors.caldav.answers import (
    ignoring_conditions,
)
from tests.connectors.caldav.bench import CalDavBench
from tests.contract.calendar_contract import draft, vevent
from tests.servers.counting_proxy import Alter, Cut, Instead, Reply
from tests.servers.radicale import RadicaleServer


@pytest.fixture
def bench(radicale: RadicaleServer) -> Iterator[CalDavBench]:
    with CalDavBench(radicale) as bench:
        yield bench


# --- writes that are refused ----------------------------------------------------------------------------------------


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
    asked_for_patience = error is RetryLater
    assert bench.proxy.methods() == (["PUT"] if asked_for_patience else ["PUT", "PUT", "DELETE"])


def test_a_write_that_cannot_be_read_again_is_lost(bench: CalDavBench) -> None:
    bench.proxy.when("GET", Instead(Reply(404)))
    with pytest.raises(AnswerLost):
        bench.account.create(bench.calendar, draft())


# --- servers that keep no promise -----------------------------------------------------------------------------------


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
