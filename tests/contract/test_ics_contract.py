"""A subscription passes the reading half of the contract, whatever validators its publisher gives."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connectors.ics.bench import IcsBench
from tests.contract.calendar_contract import ReadingContract


class TestSubscription(ReadingContract):
    @pytest.fixture(params=["etag", "modified", ""])
    def bench(self, request: pytest.FixtureRequest) -> Iterator[IcsBench]:
        with IcsBench(validators=frozenset({request.param} - {""})) as bench:
            yield bench
