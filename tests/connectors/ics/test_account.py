"""A subscription over a real socket: what an unchanged one costs, and what a bad answer is taken for."""

from __future__ import annotations

import itertools
import logging
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from connectors.errors import Addressee, AgentMustAct, ConnectorError, ITMustAct, RetryLater
from connectors.hosts import exact_pattern
from connectors.ics import CALENDAR, IcsAccount
from connectors.network import Network
from tests.connectors.ics.bench import NOW, IcsBench, Memory, calendar, event, text
from tests.contract.calendar_contract import draft, versions
from tests.servers.feed_server import SECRET, FeedServer

DAY = timedelta(days=1)


@pytest.fixture
def bench() -> Iterator[IcsBench]:
    with IcsBench() as bench:
        bench.events["a"] = event("a")
        yield bench


def mark(account: IcsAccount) -> str:
    (found,) = account.look()
    assert found.calendar == CALENDAR
    return found.mark


def stamped() -> Callable[[], bytes]:
    """The same events in other words at each request, as Google writes them."""
    numbers = itertools.count()

    def body() -> bytes:
        second = f"{next(numbers) % 60:02}"
        first = event("a").replace(b"DTSTAMP:20260101T000000Z", f"DTSTAMP:20260504T0000{second}Z".encode())
        return calendar(event("b", f"SEQUENCE:{second}", start="20260602T070000Z", end="20260602T080000Z"), first)

    return body


def renamed(lines: tuple[str, ...] = ()) -> Callable[[], bytes]:
    """Other UIDs at each request."""
    numbers = itertools.count()

    def body() -> bytes:
        number = next(numbers)
        second = {"start": "20260602T070000Z", "end": "20260602T080000Z"}
        return calendar(event(f"x{number}"), event(f"y{number}", *lines, **second))

    return body


class TestUnchanged:
    def test_costs_one_small_request_each_time_across_processes(self, bench: IcsBench) -> None:
        memory = Memory()
        first = mark(bench.other_account(memory=memory))
        saved = memory.saves
        for _ in range(3):
            assert mark(bench.other_account(memory=memory)) == first
        assert bench.statuses == [200, 304, 304, 304]
        assert memory.saves == saved

    def test_by_last_modified_too(self, bench: IcsBench) -> None:
        bench.publishes(bench.file(), validators=frozenset({"modified"}))
        memory = Memory()
        assert mark(bench.other_account(memory=memory)) == mark(bench.other_account(memory=memory))
        assert bench.statuses == [200, 304]
        assert "if-modified-since" in bench.server.seen[1].headers

    def test_without_validators_it_is_known_by_what_it_says(self, bench: IcsBench) -> None:
        bench.publishes(bench.file(), validators=frozenset())
        memory = Memory()
        assert mark(bench.other_account(memory=memory)) == mark(bench.other_account(memory=memory))
        assert bench.statuses == [200, 200]
        assert memory.saves == 1

    def test_stamps_of_the_moment_are_no_change(self, bench: IcsBench) -> None:
        bench.publishes(stamped())  # type: ignore[arg-type]
        assert mark(bench.account) == mark(bench.account)
        known = versions(bench.account.changes(CALENDAR, None, {}))
        again = bench.account.changes(CALENDAR, None, known)
        assert (again.items, again.present) == ((), known.keys())

    def test_uids_of_the_moment_are_no_change_and_from_then_on_no_names(self, bench: IcsBench) -> None:
        bench.publishes(renamed())  # type: ignore[arg-type]
        assert mark(bench.account) == mark(bench.account)
        first = bench.account.changes(CALENDAR, None, {})
        second = bench.account.changes(CALENDAR, first.cursor, versions(first))
        assert len(second.items) == 2
        bench.publishes(renamed(("SUMMARY:other",)))  # type: ignore[arg-type]
        third = bench.account.changes(CALENDAR, second.cursor, versions(second))
        assert len(third.items) == 1
        assert len(third.present & second.present) == 1
        event = bench.account.parse(third.items[0])
        assert event is not None
        assert third.items[0].href == f"{CALENDAR}/{event.uid}.ics"

    def test_who_reads_all_of_it_again_finds_it_under_its_names(self, bench: IcsBench) -> None:
        """Whatever is there is wanted (no version is known), and what was named by what it says still is."""
        bench.publishes(renamed())  # type: ignore[arg-type]
        first = bench.account.changes(CALENDAR, None, {})
        second = bench.account.changes(CALENDAR, first.cursor, versions(first))
        again = bench.account.changes(CALENDAR, None, dict.fromkeys(second.present, ""))
        assert versions(again) == versions(second)
        assert again.cursor == second.cursor

    def test_a_calendar_of_other_events_is_no_calendar_of_renamed_ones(self, bench: IcsBench) -> None:
        first = bench.account.changes(CALENDAR, None, {})
        bench.events = {"z": event("z", "SUMMARY:other")}
        assert bench.account.changes(CALENDAR, first.cursor, versions(first)).present == {f"{CALENDAR}/z.ics"}

    def test_is_read_whole_once_a_day_all_the_same(self, bench: IcsBench) -> None:
        memory = Memory()
        mark(bench.other_account(memory=memory))
        bench.now += DAY
        mark(bench.other_account(memory=memory))
        mark(bench.other_account(memory=memory))
        assert bench.statuses == [200, 200, 304]

    def test_what_is_remembered_and_not_understood_is_forgotten(self, bench: IcsBench) -> None:
        memory = Memory()
        for text_ in ("", "{}", '{"v": 1}', "[1]", '{"v": 99, "mark": "x"}'):
            memory.kept = text_
            mark(bench.other_account(memory=memory))
        assert bench.statuses == [200] * 5


class TestReading:
    def test_the_file_that_a_look_brought_is_read_without_a_second_request(self, bench: IcsBench) -> None:
        looked = mark(bench.account)
        changes = bench.account.changes(CALENDAR, None, {})
        assert (changes.mark, changes.complete, len(changes.items)) == (looked, True, 1)
        assert bench.account.requests == 1

    def test_a_reading_that_was_lost_after_its_look_is_made_up_for(self, bench: IcsBench) -> None:
        """Killed in between: the validators were kept, the events were not."""
        memory = Memory()
        mark(bench.other_account(memory=memory))
        later = bench.other_account(memory=memory)
        mark(later)
        assert len(later.changes(CALENDAR, None, {}).items) == 1
        assert bench.statuses == [200, 304, 200]

    def test_a_cursor_of_ours_is_not_due_and_any_other_is(self, bench: IcsBench) -> None:
        cursor = bench.account.changes(CALENDAR, None, {}).cursor
        assert not bench.account.is_due(CALENDAR, cursor)
        assert bench.account.is_due(CALENDAR, None)
        assert bench.account.is_due(CALENDAR, "0 uid")

    def test_an_event_set_aside_is_there_and_told_once(self, bench: IcsBench) -> None:
        bench.events["big"] = event("big", "DESCRIPTION:" + "x" * 3000)
        account = bench.other_account(item_limit=2000)
        first = account.changes(CALENDAR, None, {})
        ((href, version, reason),) = first.unreadable
        assert href in first.present
        assert "2,000" in reason
        again = account.changes(CALENDAR, first.cursor, versions(first) | {href: version})
        assert (again.items, again.unreadable, again.present) == ((), (), first.present)

    def test_meetings_that_the_owner_declined_are_told(self, bench: IcsBench) -> None:
        bench.events["a"] = event("a", "ATTENDEE;PARTSTAT=DECLINED:mailto:Martine@example.fr")
        account = bench.other_account(owner_addresses=frozenset({"martine@example.fr"}))
        (item,) = account.changes(CALENDAR, None, {}).items
        found = account.parse(item)
        assert found is not None
        assert found.components[0].declined

    def test_another_calendar_is_none(self, bench: IcsBench) -> None:
        with pytest.raises(ITMustAct):
            bench.account.changes("elsewhere", None, {})


class TestRest:
    @pytest.mark.parametrize(
        ("headers", "lines", "minutes"),
        [
            ({"Cache-Control": "private, max-age=300"}, (), 5),
            ({"Cache-Control": "max-age=300", "Age": "240"}, (), 1),
            ({"Cache-Control": "max-age=86400"}, (), 15),
            ({}, ("REFRESH-INTERVAL;VALUE=DURATION:PT12H",), 15),
            ({"Cache-Control": "no-cache"}, ("X-PUBLISHED-TTL:PT1H",), 0),
            ({"Cache-Control": "max-age=oops"}, (), 0),
        ],
    )
    def test_it_is_left_alone_as_long_as_is_asked_for_and_not_too_long(
        self, bench: IcsBench, headers: dict[str, str], lines: tuple[str, ...], minutes: int
    ) -> None:
        body = calendar(event("a"), head=("BEGIN:VCALENDAR", "VERSION:2.0", *lines))
        bench.publishes(body, headers=headers)
        memory = Memory()
        mark(bench.other_account(memory=memory))
        for number in range(1, 3):  # the second time after a 304
            bench.now = NOW + number * timedelta(minutes=minutes) - timedelta(seconds=1)
            if minutes:
                mark(bench.other_account(memory=memory))
                assert len(bench.statuses) == number
            bench.now += timedelta(seconds=1)
            mark(bench.other_account(memory=memory))
            assert bench.statuses[1:] == [304] * number

    def test_a_clock_that_was_set_back_does_not_silence_it(self, bench: IcsBench) -> None:
        bench.publishes(bench.file(), headers={"Cache-Control": "max-age=600"})
        memory = Memory()
        mark(bench.other_account(memory=memory))
        bench.now -= 30 * DAY
        mark(bench.other_account(memory=memory))
        assert len(bench.statuses) == 2


Fault = Callable[[IcsBench], object]


def published(body: bytes = b"", **details: Any) -> Fault:
    return lambda bench: bench.publishes(body or bench.file(), **details)


GO_BACK = published(status=302, headers={"Location": f"/{SECRET}/feed.ics"})
TROUBLES: dict[str, tuple[Fault, Addressee, str, str]] = {
    "wants a password": (published(status=401), Addressee.AGENT, "wants a password", "without a password"),
    "no longer published": (published(status=403), Addressee.AGENT, "publishing was ended", "Publish the"),
    "another link now": (published(status=404), Addressee.AGENT, "link was renewed", "Nothing was removed"),
    "withdrawn": (published(status=410), Addressee.AGENT, "withdrawn for good", "replace the link"),
    "half a link": (published(status=400), Addressee.AGENT, "nothing of this link", "Copy the whole link"),
    "part of a file": (published(status=206), Addressee.AGENT, "of no use (206)", "See the link"),
    "unasked for 304": (published(status=304), Addressee.AGENT, "of no use (304)", "See the link"),
    "login page": (published(b"<!DOCTYPE html><title>Connexion</title>"), Addressee.AGENT, "no calendar", "browser"),
    "empty": (published(b"\r\n"), Addressee.AGENT, "no calendar", "browser"),
    "only free/busy": (
        published(calendar(text("BEGIN:VFREEBUSY", "END:VFREEBUSY"))), Addressee.AGENT, "VFREEBUSY", "Busy"
    ),
    "cut, without length": (published(cut=90, length=False), Addressee.NOBODY, "did not come whole", "tries again"),
    "cut, with length": (published(cut=90), Addressee.NOBODY, "RemoteProtocolError", "tries again"),
    "cut, compressed": (published(cut=90, encoding="gzip", length=False), Addressee.NOBODY, "compression", "again"),
    "damaged": (published(headers={"Content-Encoding": "gzip"}), Addressee.NOBODY, "compression", "again"),
    "odd compression": (published(headers={"Content-Encoding": "br"}), Addressee.NOBODY, "compression", "again"),
    "in trouble": (published(status=500), Addressee.NOBODY, "in trouble", "tries again"),
    "busy": (published(status=503, headers={"Retry-After": "90"}), Addressee.NOBODY, "too much to do", "tries again"),
    "round and round": (GO_BACK, Addressee.AGENT, "more than 4 times", "address that it ends on"),
    "elsewhere": (
        published(status=302, headers={"Location": "https://elsewhere.example.fr/s3cret-too"}),
        Addressee.IT, "elsewhere.example.fr:443, which may not be asked", "allowed_hosts",
    ),
    "into our network": (
        published(status=307, headers={"Location": "https://10.0.0.8/admin"}), Addressee.IT, "private network", ""
    ),
    "to this machine": (
        published(status=301, headers={"Location": "http://127.0.0.1:9/"}), Addressee.IT, "port 9", "allowed_hosts"
    ),
    "to something else": (published(status=302, headers={"Location": "file:///etc/passwd"}), Addressee.IT, "https", ""),
    "nowhere": (published(status=302), Addressee.AGENT, "more than 4 times", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", TROUBLES)
def test_who_is_told_what_about_a_feed_that_cannot_be_read(bench: IcsBench, name: str) -> None:
    """Each by a look, a discovery and a reading alike; and none of them is an empty calendar."""
    fault, addressee, message, remedy = TROUBLES[name]
    memory = Memory()
    account = bench.other_account(memory=memory)
    if name == "round and round":
        bench.server.publish("feed", b"", status=302, headers={"Location": f"/{SECRET}/feed.ics"})
    fault(bench)
    for ask in (account.look, account.discover, lambda: account.changes(CALENDAR, None, {"feed/a.ics": "1"})):
        with pytest.raises(ConnectorError) as raised:
            ask()
        problem = raised.value
        assert (problem.addressee, problem.system) == (addressee, "test")
        assert message in str(problem)
        assert remedy in problem.remedy
        for told in (str(problem), repr(problem), problem.remedy):
            assert SECRET not in told
            assert "s3cret" not in told
    assert memory.saves == 0
    bench.publishes(bench.file())
    assert len(account.changes(CALENDAR, None, {}).items) == 1


def test_it_is_it_s_matter_where_the_links_are_theirs(bench: IcsBench) -> None:
    bench.publishes(b"", status=404)
    with pytest.raises(ITMustAct):
        bench.other_account(owned_by_it=True).look()


def test_the_server_s_patience_is_told(bench: IcsBench) -> None:
    bench.publishes(b"", status=503, headers={"Retry-After": "90"})
    with pytest.raises(RetryLater) as raised:
        bench.account.look()
    assert raised.value.retry_after == 90


def test_a_server_that_is_gone_is_tried_again_later(bench: IcsBench) -> None:
    bench.server.__exit__()
    try:
        with pytest.raises(RetryLater, match=r"127\.0\.0\.1"):
            bench.account.look()
    finally:
        bench.server = FeedServer()
        bench.server.__enter__()


class TestRedirects:
    def test_to_an_allowed_host_is_followed_and_its_validators_count(self, bench: IcsBench) -> None:
        with FeedServer() as other:
            other.publish("moved", bench.file())
            bench.publishes(b"", status=302, headers={"Location": other.link("moved")})
            hosts = tuple(exact_pattern(server.url.split("/")[2]) for server in (bench.server, other))
            memory = Memory()
            account = bench.other_account(allowed_hosts=hosts, memory=memory)
            assert len(account.changes(CALENDAR, None, {}).items) == 1
            mark(bench.other_account(allowed_hosts=hosts, memory=memory))
            assert other.statuses() == [200, 304]
            assert account.requests == 2

    def test_a_link_to_a_host_that_is_not_allowed_is_never_asked(self, bench: IcsBench) -> None:
        with pytest.raises(ITMustAct, match="not among the allowed ones") as raised:
            bench.other_account(url=f"https://elsewhere.example.fr/{SECRET}.ics")
        assert SECRET not in str(raised.value)


class TestBounds:
    def test_a_file_beyond_the_limit_is_not_read_to_its_end(self, bench: IcsBench) -> None:
        bench.publishes(b"BEGIN:VCALENDAR\r\n" + b"X-A:" + b"a" * 50_000_000)
        with pytest.raises(AgentMustAct, match="larger than 1,000,000 bytes") as raised:
            bench.other_account(size_limit=1_000_000).look()
        assert "shorter period" in raised.value.remedy

    def test_a_compressed_file_is_read(self, bench: IcsBench) -> None:
        bench.feed.encoding = "gzip"
        assert len(bench.account.changes(CALENDAR, None, {}).items) == 1

    def test_a_file_in_several_compressed_pieces_is_read(self, bench: IcsBench) -> None:
        whole = bench.file()
        pieces = [zlib.compress(part, wbits=31) for part in (whole[:50], whole[50:])]
        bench.publishes(b"".join(pieces), headers={"Content-Encoding": "gzip"})
        assert len(bench.account.changes(CALENDAR, None, {}).items) == 1

    def test_a_bomb_is_not_unpacked(self, bench: IcsBench) -> None:
        """Memory stays that of the limit, and time that of a moment."""
        packer = zlib.compressobj(9, wbits=31)
        block = b"a" * 1_000_000
        bomb = b"".join(packer.compress(block) for _ in range(200)) + packer.flush()
        bench.publishes(bomb, headers={"Content-Encoding": "gzip"})
        began = time.process_time()
        with pytest.raises(AgentMustAct, match="larger than 20,971,520 bytes"):
            bench.account.look()
        assert time.process_time() - began < 2

    def test_too_many_events_are_said_with_the_limit(self, bench: IcsBench) -> None:
        bench.events |= {f"e{number}": event(f"e{number}") for number in range(5)}
        with pytest.raises(AgentMustAct, match="more than 5 events"):
            bench.other_account(event_limit=5).look()

    def test_an_answer_that_drips_is_given_up(self, bench: IcsBench) -> None:
        bench.events |= {f"e{number}": event(f"e{number}") for number in range(200)}
        bench.feed.drip = 0.02
        began = time.monotonic()
        with pytest.raises(RetryLater, match=r"within 0\.3 seconds"):
            bench.other_account(answer_limit=0.3).look()
        assert time.monotonic() - began < 3

    def test_a_server_that_says_nothing_is_given_up(self, bench: IcsBench) -> None:
        bench.feed.drip = 5
        with pytest.raises(RetryLater, match="ReadTimeout"):
            bench.other_account(network=Network(read_timeout=0.2)).look()


class TestReadOnly:
    def test_the_calendar_says_so(self, bench: IcsBench) -> None:
        (found,) = bench.account.discover()
        assert (found.calendar, found.writable) == (CALENDAR, False)

    def test_nothing_can_be_written_and_nothing_is_sent(self, bench: IcsBench) -> None:
        (item,) = bench.account.changes(CALENDAR, None, {}).items
        before = bench.account.requests
        writes = (
            lambda: bench.account.create(CALENDAR, draft()),
            lambda: bench.account.update(CALENDAR, item, draft(), notes=True),
            lambda: bench.account.delete(CALENDAR, item),
        )
        for write in writes:
            with pytest.raises(ITMustAct, match="nothing can be written") as raised:
                write()
            assert "another account" in raised.value.remedy
        assert bench.account.requests == before

    def test_traits_say_how_it_is_known_that_nothing_changed(self, bench: IcsBench) -> None:
        assert [trait.name for trait in bench.account.traits()] == ["access"]
        bench.account.look()
        known = {trait.name: trait.value for trait in bench.account.traits()}
        assert known["changes are found by"] == "ETag"
        assert known["events"] == "1"
        assert known["calls itself"] == "-//other//client//FR"


class TestSecret:
    def test_the_link_is_in_no_repr_and_no_log(self, bench: IcsBench, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        memory = Memory()
        account = bench.other_account(memory=memory)
        account.look()
        account.changes(CALENDAR, None, {})
        bench.publishes(b"", status=500)
        with pytest.raises(RetryLater):
            account.look()
        told = (repr(account), repr(account._settings), str(account.host), caplog.text, str(memory.kept))
        assert not any(SECRET in each for each in told)

    def test_no_cookie_is_sent_back(self, bench: IcsBench) -> None:
        bench.publishes(bench.file(), headers={"Set-Cookie": "session=1; Path=/"})
        mark(bench.account)
        mark(bench.account)
        assert not any("cookie" in seen.headers for seen in bench.server.seen)
