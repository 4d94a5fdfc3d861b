"""On which servers and databases a scenario runs."""

from __future__ import annotations

import itertools
import os

import pytest

from tests.servers.traits import READING, WRITING

KINDS = ("radicale", "xandikos")
DATABASES = ("sqlite", "postgresql")
# Neither knows of the other: each kind of calendar server and of database once is enough, and takes half the time.
PAIRS = ("radicale-sqlite", "xandikos-postgresql")


def settings() -> list[str]:
    """`make test-matrix` asks for both servers on both databases, and for every trait before both servers."""
    if not os.environ.get("TEST_MATRIX"):
        return list(PAIRS)
    plain = ["-".join(pair) for pair in itertools.product(KINDS, DATABASES)]
    return plain + [f"{pair}-{trait}" for pair in PAIRS for trait in (*READING, *WRITING)]


on_one_calendar_server = pytest.mark.parametrize(
    "new_departement", settings() if os.environ.get("TEST_MATRIX") else PAIRS[:1], indirect=True
)
"""For what is about RDV-Solidarités or the gateway itself: nothing of the calendar server matters to it."""
