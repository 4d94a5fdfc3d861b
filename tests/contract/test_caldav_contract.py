"""CalDAV passes the contract of calendar connectors on real servers, and on doubles of those that cannot run here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connectors.caldav.bench import CalDavBench
from tests.contract.calendar_contract import CalendarContract
from tests.servers.radicale import RadicaleServer
from tests.servers.sogo_like import SogoLike
from tests.servers.xandikos import XandikosServer
from tests.servers.zimbra_like import ZimbraLike

USERS = {"alice": "secret-alice"}


class TestRadicale(CalendarContract):
    @pytest.fixture
    def bench(self, radicale: RadicaleServer) -> Iterator[CalDavBench]:
        with CalDavBench(radicale) as bench:
            yield bench


class TestXandikos(CalendarContract):
    @pytest.fixture
    def bench(self, xandikos: XandikosServer) -> Iterator[CalDavBench]:
        with CalDavBench(xandikos) as bench:
            yield bench


class TestZimbraLike(CalendarContract):
    @pytest.fixture
    def bench(self) -> Iterator[CalDavBench]:
        with ZimbraLike(USERS) as server, CalDavBench(server, tells_changes=False) as bench:
            yield bench


class TestSogoLike(CalendarContract):
    @pytest.fixture
    def bench(self) -> Iterator[CalDavBench]:
        with SogoLike(USERS) as server, CalDavBench(server, counts_seconds=True) as bench:
            yield bench
