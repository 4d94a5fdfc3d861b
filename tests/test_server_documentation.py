"""docs/servers.md says of each profile what the code says."""

from __future__ import annotations

from pathlib import Path

from connectors.caldav.fetching import LARGEST_ITEM
from connectors.caldav.listing import MOST_ITEMS
from connectors.caldav.profiles import PROFILES, Basis
from tests.servers.cyrus import CyrusServer
from tests.servers.davical import DavicalServer
from tests.servers.radicale import RadicaleServer
from tests.servers.sogo import SogoServer
from tests.servers.xandikos import XandikosServer

TEXT = (Path(__file__).parent.parent / "docs" / "servers.md").read_text(encoding="utf-8")


def test_each_profile_is_documented_as_it_is() -> None:
    rows = {cells[0]: cells for line in TEXT.splitlines() if len(cells := line.strip("| ").split(" | ")) == 8}
    for profile in PROFILES.values():
        row = rows[f"`{profile.name}`"]
        words = {True: "yes", False: "no"}
        assert row[1] == (profile.version or "–")
        assert row[2] == profile.basis.value
        trusted = (profile.create_condition, profile.delete_condition, profile.sends_mail)
        assert tuple(row[3:6]) == tuple(words[each] for each in trusted)
        assert row[7] == "{} to {}".format(*profile.at_a_time)
        for remark in profile.remarks:
            assert remark in TEXT


def test_only_servers_that_the_tests_start_are_called_tested() -> None:
    started = {server.name for server in (RadicaleServer, XandikosServer, SogoServer, DavicalServer, CyrusServer)}
    assert {name for name, profile in PROFILES.items() if profile.basis is Basis.TESTED} == started


def test_the_limits_are_those_of_the_code() -> None:
    assert f"{LARGEST_ITEM // 1024 // 1024} MiB" in TEXT
    assert f"{MOST_ITEMS:,} items" in TEXT
