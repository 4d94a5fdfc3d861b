"""Killed at any instant, the database is as after some commit, and every commit that was announced is in it."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.keys import Keyring, create_key_file, load_keys
from gateway.store.database import open_database, sync_lock
from gateway.store.problems import AnotherSync
from gateway.store.store import Store
from tests.store.samples import AGENT, agent, block, copy, entry

ROOT = Path(__file__).parents[2]
_WRITES = (
    "import sys; from pathlib import Path; from tests.store.test_kill import write_for_ever; "
    "write_for_ever(sys.argv[1], Path(sys.argv[2]), pause=sys.argv[3] == 'pause')"
)


def write_for_ever(url: str, keys: Path, *, pause: bool) -> None:
    """The process that is killed: one block, one copy and one entry per transaction, announced after its commit."""
    database = open_database(url, load_keys(keys))
    store = Store(database)
    with store.sync_lock():
        while True:
            with store.transaction() as tx:
                number = store.highest_absence_id() + 1
                tx.put_block(block(number))
                tx.put_copy(copy(number))
                if pause and number % 3 == 0:
                    _say("inside")
                    time.sleep(60)
                tx.journal(entry(reference=f"absence {number}", before=b"x" * 3000))
            _say(str(number))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class Home:
    """A database with one agent, and the key file of its instance."""

    url: str
    key_file: Path

    @property
    def keys(self) -> Keyring:
        return load_keys(self.key_file)


@pytest.fixture
def home(url: str, tmp_path: Path) -> Home:
    made = Home(url, tmp_path / "keys.toml")
    create_key_file(made.key_file)
    database = open_database(url, made.keys)
    with Store(database).transaction() as tx:
        tx.put_agent(agent(AGENT))
    database.close()
    return made


def _run_and_kill(home: Home, *, pause: bool, seconds: float) -> int:
    """The last number announced; the process is killed inside a transaction, or `seconds` after its first one."""
    command = [sys.executable, "-c", _WRITES, home.url, str(home.key_file), "pause" if pause else ""]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        with pytest.raises(AnotherSync), sync_lock(home.url):
            pass
        lines = [first]
        if pause:
            while lines[-1] != "inside\n":
                lines.append(process.stdout.readline())
        else:
            time.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)
        lines += process.stdout.readlines()
        assert process.wait() == -signal.SIGKILL
    _wait_until_free(home)
    return max((int(line) for line in lines if line.strip().isdigit()), default=0)


def _wait_until_free(home: Home) -> None:
    """The dead process holds the lock no longer: at once, or when the server has noticed."""
    deadline = time.monotonic() + 10
    while True:
        try:
            with sync_lock(home.url):
                return
        except AnotherSync:
            assert home.url.startswith("postgresql")
            assert time.monotonic() < deadline, "the lock outlives its process"
            time.sleep(0.02)


def _check_file(url: str) -> None:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def _committed(home: Home) -> int:
    """How many transactions are in the database, after checking that each is whole."""
    _check_file(home.url)
    database = open_database(home.url, home.keys)
    store = Store(database)
    view, entries = store.agent_view(AGENT), store.journal(limit=100_000, with_content=True)
    assert store.verify_journal().findings == ()
    database.close()
    count = len(view.blocks)
    numbers = list(range(1, count + 1))
    assert [one.absence_id for one in view.blocks] == numbers
    assert [one.rdv_id for one in view.copies] == numbers
    assert [row.entry.reference for row in reversed(entries)] == [f"absence {number}" for number in numbers]
    assert all(row.entry.before == b"x" * 3000 for row in entries)
    return count


def test_killed_between_the_writes_of_a_transaction(home: Home) -> None:
    assert _run_and_kill(home, pause=True, seconds=0) == 2
    assert _committed(home) == 2


def test_killed_at_random_and_restarted(home: Home) -> None:
    moments = random.Random(20260302)
    committed = 0
    for _ in range(4):
        announced = _run_and_kill(home, pause=False, seconds=moments.uniform(0.0, 0.25))
        assert announced > committed
        committed = _committed(home)
        assert announced <= committed <= announced + 1
