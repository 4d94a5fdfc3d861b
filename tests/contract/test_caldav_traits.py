"""CalDAV passes the contract in front of servers of other kinds, trait by trait.

Each trait stands before one of the two real servers; the whole contract runs on each without traits, and on the
doubles. Of the contract, those parts run that a trait can matter to.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.caldav.profiles import UNKNOWN_SERVER
from tests.connectors.caldav.bench import CalDavBench
from tests.contract.calendar_contract import ReadingContract, WritingContract
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


class TestReadingWithTraits(ReadingContract):
    @pytest.fixture(params=READING)
    def bench(self, request: pytest.FixtureRequest, radicale: RadicaleServer) -> Iterator[CalDavBench]:
        trait = READING[request.param]()
        with CalDavBench(radicale, traits=[trait], many=5, **MEANING.get(request.param, {})) as bench:
            yield bench


class TestWritingWithTraits(WritingContract):
    @pytest.fixture(params=WRITING)
    def bench(self, request: pytest.FixtureRequest, xandikos: XandikosServer) -> Iterator[CalDavBench]:
        trait = WRITING[request.param]()
        with CalDavBench(xandikos, traits=[trait], **MEANING.get(request.param, {})) as bench:
            yield bench
