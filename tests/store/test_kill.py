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
from pathlib import Path

import pytest

from gateway.keys import Keyring, create_key_file, load_keys
from gateway.store.database import AnotherSync, open_database, sync_lock, upgrade
from gateway.store.store import Store
from tests.store.samples import AGENT, agent, block, copy, entry

ROOT = Path(__file__).parents[2]
_WRITES = (
    "import sys; from pathlib import Path; from tests.store.test_kill import write_for_ever; "
    "write_for_ever(Path(sys.argv[1]), pause=sys.argv[2] == 'pause')"
)


def write_for_ever(directory: Path, *, pause: bool) -> None:
    """The process that is killed: one block, one copy and one entry per transaction, announced after its commit."""
    with sync_lock(directory / "gateway.sqlite3"):
        database = open_database(f"sqlite:///{directory}/gateway.sqlite3", load_keys(directory / "keys.toml"))
        store = Store(database)
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


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory with keys and a database."""
    create_key_file(tmp_path / "keys.toml")
    upgrade(f"sqlite:///{tmp_path}/gateway.sqlite3")
    database = open_database(f"sqlite:///{tmp_path}/gateway.sqlite3", load_keys(tmp_path / "keys.toml"))
    with Store(database).transaction() as tx:
        tx.put_agent(agent(AGENT))
    database.close()
    return tmp_path


def _run_and_kill(home: Path, *, pause: bool, seconds: float) -> int:
    """The last number announced; the process is killed inside a transaction, or `seconds` after its first one."""
    command = [sys.executable, "-c", _WRITES, str(home), "pause" if pause else ""]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        with pytest.raises(AnotherSync), sync_lock(home / "gateway.sqlite3"):
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
    return max((int(line) for line in lines if line.strip().isdigit()), default=0)


def _committed(home: Path, keys: Keyring) -> int:
    """How many transactions are in the database, after checking that each is whole."""
    with closing(sqlite3.connect(home / "gateway.sqlite3")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    database = open_database(f"sqlite:///{home}/gateway.sqlite3", keys)
    store = Store(database)
    view, entries = store.agent_view(AGENT), store.journal(limit=100_000, with_content=True)
    database.close()
    count = len(view.blocks)
    numbers = list(range(1, count + 1))
    assert [one.absence_id for one in view.blocks] == numbers
    assert [one.rdv_id for one in view.copies] == numbers
    assert [row.entry.reference for row in reversed(entries)] == [f"absence {number}" for number in numbers]
    assert all(row.entry.before == b"x" * 3000 for row in entries)
    return count


def test_killed_between_the_writes_of_a_transaction(home: Path) -> None:
    keys = load_keys(home / "keys.toml")
    assert _run_and_kill(home, pause=True, seconds=0) == 2
    assert _committed(home, keys) == 2
    with sync_lock(home / "gateway.sqlite3"):  # the dead process holds it no longer
        pass


def test_killed_at_random_and_restarted(home: Path) -> None:
    keys, moments = load_keys(home / "keys.toml"), random.Random(20260302)
    committed = 0
    for _ in range(4):
        announced = _run_and_kill(home, pause=False, seconds=moments.uniform(0.0, 0.25))
        assert announced > committed
        committed = _committed(home, keys)
        assert announced <= committed <= announced + 1
