"""CalDAV passes the contract of calendar connectors on the real servers that Debian packages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connectors.caldav.bench import CalDavBench
from tests.contract.calendar_contract import CalendarContract
from tests.servers.cyrus import CyrusServer
from tests.servers.davical import DavicalServer
from tests.servers.sogo import SogoServer

pytestmark = pytest.mark.system


class TestSogo(CalendarContract):
    @pytest.fixture
    def bench(self, sogo: SogoServer) -> Iterator[CalDavBench]:
        with CalDavBench(sogo, counts_seconds=True, settling_time=2.05) as bench:
            yield bench


class TestDavical(CalendarContract):
    @pytest.fixture
    def bench(self, davical: DavicalServer) -> Iterator[CalDavBench]:
        with CalDavBench(davical, one_uid=False) as bench:
            yield bench


class TestCyrus(CalendarContract):
    @pytest.fixture
    def bench(self, cyrus: CyrusServer) -> Iterator[CalDavBench]:
        with CalDavBench(cyrus, one_uid_per_user=True) as bench:
            yield bench
