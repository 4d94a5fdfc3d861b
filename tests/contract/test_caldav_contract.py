"""CalDAV passes the contract of calendar connectors on each real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connectors.caldav.bench import CalDavBench
from tests.contract.calendar_contract import CalendarContract
from tests.servers.radicale import RadicaleServer
from tests.servers.xandikos import XandikosServer


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
