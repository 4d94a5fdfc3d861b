"""CalDAV passes the contract in front of servers of other kinds, trait by trait.

Each trait stands before one of the two real servers, and those parts of the contract run that it can matter to.
`make test-matrix` runs all of the contract with every trait before both.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.caldav.profiles import UNKNOWN_SERVER
from tests.connectors.caldav.bench import CalDavBench
from tests.contract.calendar_contract import CalendarContract, ReadingContract, WritingContract
from tests.servers.radicale import RadicaleServer
from tests.servers.traits import READING, WRITING
from tests.servers.xandikos import XandikosServer

# What a trait takes away, or asks for.
MEANING: dict[str, dict[str, Any]] = {
    "no sync tokens": {"tells_changes": False},
    "no marks": {"tells_changes": False, "has_marks": False},
    "empty deltas": {"tells_changes": False},
    "multiget leaves one out": {"asked_again": 1},
    "multiget without body": {"asked_again": 1},
    "conditions are ignored": {"profile": UNKNOWN_SERVER},
}


def bench_of(server: RadicaleServer | XandikosServer, name: str) -> CalDavBench:
    trait = (READING | WRITING)[name]()
    return CalDavBench(server, traits=[trait], many=5, **MEANING.get(name, {}))


class TestReadingWithTraits(ReadingContract):
    @pytest.fixture(params=READING)
    def bench(self, request: pytest.FixtureRequest, radicale: RadicaleServer) -> Iterator[CalDavBench]:
        with bench_of(radicale, request.param) as bench:
            yield bench


class TestWritingWithTraits(WritingContract):
    @pytest.fixture(params=WRITING)
    def bench(self, request: pytest.FixtureRequest, xandikos: XandikosServer) -> Iterator[CalDavBench]:
        with bench_of(xandikos, request.param) as bench:
            yield bench


if os.environ.get("TEST_MATRIX"):

    class TestMatrix(CalendarContract):
        @pytest.fixture(params=itertools.product(("radicale", "xandikos"), READING | WRITING), ids="-".join)
        def bench(self, request: pytest.FixtureRequest) -> Iterator[CalDavBench]:
            server, trait = request.param
            with bench_of(request.getfixturevalue(server), trait) as bench:
                yield bench
