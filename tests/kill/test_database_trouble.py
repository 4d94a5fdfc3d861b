"""What may befall the gateway's database, and its clock, while the real program works: it ends with a clear message and
no half state, and goes on as if nothing had been when the cause is gone."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tests.kill.life import Life
from tests.kill.running import Ended, Program, running_program
from tests.scenarios.clock import LeapingClock
from tests.scenarios.conftest import New, calendar_servers, logins, new_departement, shared_sandbox
from tests.scenarios.database import SqliteDatabase
from tests.scenarios.departement import Departement
from tests.servers.counting_proxy import Before
from tests.servers.postgres import PostgresServer

__all__ = ["calendar_servers", "logins", "new_departement", "shared_sandbox"]  # fixtures

FINE, NEEDS_PERSON, THIS_MACHINE, REMOTE, BUSY = range(5)
"""Exit codes."""
_ALL = os.environ.get("KILL_EVERY") == "1"
"""Every page, every room left on a disk; else some."""
_MOST_RUNS = 4
_PAGE = 4096

on_sqlite = pytest.mark.parametrize("new_departement", ["radicale-sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("new_departement", ["radicale-postgresql"], indirect=True)


class Scene:
    """A live agent with much to do, and the real program to do it."""

    def __init__(self, departement: Departement, life: Life, program: Program) -> None:
        self.departement, self.life, self.program = departement, life, program

    @property
    def place(self) -> str:
        return self.departement.database.place

    def recovers(self, where: str = "", *, approving: bool = False) -> None:
        """The cause is gone: within a few syncs one of everything is there, and nothing is left to do.

        `approving`: somebody approves what is held since the database is of an earlier instant.
        """
        departement = self.departement
        for _ in range(_MOST_RUNS):
            departement.forget_requests()
            ended = self.program.runs()
            departement.database.wait_until_free()
            if approving and ended.status == NEEDS_PERSON:
                assert "restored from a backup" in " ".join(ended.said.split()), ended.said
                departement.approves()
                departement.stop()
                continue
            assert ended.status == FINE, f"{where}: {ended.said}"
            if not departement.writes():
                break
        self.life.assert_one_of_everything(where)
        departement.stop()

    def told(self, ended: Ended, status: int, *words: str) -> None:
        """One clear message: what, where, and what to do; never a traceback."""
        assert ended.status == status, ended.said
        said = " ".join(ended.said.split())  # as wide as a terminal
        assert [word for word in words if word not in said] == [], said
        assert "-> " in said
        assert "Traceback" not in said
        assert "defect" not in said


@contextmanager
def _scene(new_departement: New, database: SqliteDatabase | None = None) -> Iterator[Scene]:
    clock = LeapingClock()
    departement = new_departement(clock)
    if database is not None:
        departement.database = database
    departement.read_timeout = 1.0  # bounds how long an unanswered write is waited for
    departement.rules = {"many_count": 1000}
    life = Life(departement, departement.agent())
    departement.goes_live()
    departement.stop()
    with running_program(departement, clock) as program:
        departement.forget_requests()
        yield Scene(departement, life, program)


@dataclass(frozen=True, slots=True)
class _Disk:
    """A small file system at `path`, where this user may mount one; else a directory."""

    path: Path
    is_mounted: bool

    @contextmanager
    def full(self, room: int) -> Iterator[None]:
        """But for so many bytes."""
        filler = self.path / "filler"
        free = shutil.disk_usage(self.path).free
        filler.write_bytes(b"\0" * max(0, free - room))
        yield
        filler.unlink()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """As after an error of the disk, or by a slip of whoever mounted it."""
        if self.is_mounted:
            _mount("-o", "remount,ro", str(self.path))
            yield
            _mount("-o", "remount,rw", str(self.path))
        else:
            assert os.geteuid() != 0, "whoever is root and may not mount is kept from no file"
            self.path.chmod(0o500)
            for file in self.path.iterdir():
                file.chmod(0o400)
            yield
            self.path.chmod(0o700)
            for file in self.path.iterdir():
                file.chmod(0o600)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


@pytest.fixture
def disk() -> Iterator[_Disk]:
    path = Path(tempfile.mkdtemp(prefix="disk-"))
    try:
        _mount("-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", str(path))
    except (OSError, subprocess.CalledProcessError):
        yield _Disk(path, is_mounted=False)
    else:
        yield _Disk(path, is_mounted=True)
        subprocess.run(["umount", path], check=True)
    shutil.rmtree(path)


@on_sqlite
def test_a_full_disk_is_told_and_leaves_no_half_state(new_departement: New, disk: _Disk) -> None:
    """Full at once, or after so many bytes: in the middle of reading, planning, writing."""
    with _scene(new_departement, SqliteDatabase(disk.path)) as scene:
        size = Path(scene.place).stat().st_size
        met = 0
        for room in range(0, 1000, 20) if _ALL else (0, 80, 320):
            scene.life.goes_on()
            if disk.is_mounted:
                with disk.full(room * 1024):
                    ended = scene.program.runs()
            else:  # a file cannot grow beyond a limit: to the program it is the same
                ended = scene.program.runs(largest_file=max(size, 40_000) + room * 1024 if room else 4096)
            if ended.status != FINE:
                scene.told(ended, THIS_MACHINE, scene.place, "its disk", "room")
                met += 1
            scene.recovers(f"{room} kB left")
        assert met >= 2, "the disk was hardly ever full"


@on_sqlite
def test_a_limit_on_the_size_of_files_is_told_as_such(new_departement: New) -> None:
    with _scene(new_departement) as scene:
        for largest in (4_096, 300_000):
            scene.life.goes_on()
            scene.told(
                scene.program.runs(largest_file=largest), THIS_MACHINE, scene.place, "limit on the size of files"
            )
            scene.recovers(f"{largest} bytes at most")


@on_sqlite
def test_a_read_only_disk_is_told_by_every_command(new_departement: New, disk: _Disk) -> None:
    with _scene(new_departement, SqliteDatabase(disk.path)) as scene:
        scene.life.goes_on()
        with disk.read_only():
            for command in (("sync",), ("plan",), ("stop",)):
                ended = scene.program.runs(*command)
                scene.told(ended, THIS_MACHINE, str(disk.path), "read-only")
        scene.recovers()


@on_sqlite
def test_another_program_that_keeps_the_database_is_waited_for_and_then_named(new_departement: New) -> None:
    with _scene(new_departement) as scene:
        scene.life.goes_on()
        with closing(sqlite3.connect(scene.place, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            ended = scene.program.runs(busy_seconds=0.2)
            scene.told(ended, BUSY, scene.place, "another process keeps", "the next run tries again")
            assert scene.departement.writes() == []
            other.execute("ROLLBACK")
        scene.recovers()


@on_sqlite
def test_another_program_that_takes_the_database_in_the_middle_is_named(new_departement: New) -> None:
    """From the first write on a calendar, and for longer than we wait."""
    with (
        _scene(new_departement) as scene,
        closing(sqlite3.connect(scene.place, isolation_level=None, check_same_thread=False)) as other,
    ):
        scene.life.goes_on()
        scene.departement.door.when("PUT", Before(lambda: other.execute("BEGIN IMMEDIATE")))
        ended = scene.program.runs(busy_seconds=0.2)
        scene.told(ended, BUSY, scene.place, "another process keeps")
        other.execute("ROLLBACK")
        scene.recovers()


@on_sqlite
def test_a_file_that_is_no_database_is_told_and_the_last_good_copy_recovers(new_departement: New) -> None:
    with _scene(new_departement) as scene:
        copy = scene.departement.saves_database()
        Path(scene.place).write_bytes(b"not a database at all" * 5000)
        ended = scene.program.runs()
        scene.told(ended, THIS_MACHINE, scene.place, "no SQLite database", "last good copy", "db upgrade")
        scene.departement.restores_database(copy)
        scene.life.goes_on()
        scene.recovers()


@on_sqlite
def test_a_damaged_page_is_told_or_never_read_and_the_last_good_copy_recovers(new_departement: New) -> None:
    """One page after the other is overwritten; what was written to both sides meanwhile, the copy does not know of."""
    with _scene(new_departement) as scene:
        pages = Path(scene.place).stat().st_size // _PAGE
        told = 0
        for page in (0, 1, *range(2, pages, max(1, pages // (pages if _ALL else 4)))):
            scene.life.goes_on()
            copy = scene.departement.saves_database()
            with Path(scene.place).open("r+b") as file:
                file.seek(page * _PAGE)
                file.write(b"\xa5" * _PAGE)
            ended = scene.program.runs()
            if ended.status not in (FINE, NEEDS_PERSON):
                scene.told(
                    ended, THIS_MACHINE, scene.place, "it is damaged" if page else "no SQLite database", "good copy"
                )
                told += 1
            scene.departement.restores_database(copy)
            scene.recovers(f"page {page} of {pages}", approving=True)
        assert told >= 3


# --- PostgreSQL -----------------------------------------------------------------------------------------------


@on_postgresql
def test_a_postgresql_that_is_away_is_told_and_all_goes_on_when_it_is_back(
    new_departement: New, postgres: PostgresServer
) -> None:
    with _scene(new_departement) as scene:
        scene.life.goes_on()
        postgres.stop()
        try:
            for command in (("sync",), ("status",)):
                scene.told(scene.program.runs(*command), REMOTE, "cannot be reached", scene.place.partition("?")[0])
        finally:
            postgres.start()
        assert scene.departement.writes() == []
        scene.recovers()


@on_postgresql
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5] if _ALL else [2])
def test_a_postgresql_that_restarts_in_the_middle_ends_the_run_and_leaves_one_of_everything(
    new_departement: New, postgres: PostgresServer, number: int
) -> None:
    """Right before the gateway's write of this number reaches the calendar: what was sent is settled by reading."""
    with _scene(new_departement) as scene:
        scene.life.goes_on()
        met = 0

        def restart() -> None:
            nonlocal met
            met += 1
            if met == number:
                postgres.stop()
                postgres.start()

        scene.departement.door.when("PUT", Before(restart), times=None)
        ended = scene.program.runs()
        scene.told(ended, REMOTE, "the right to sync was lost")
        scene.departement.door.behave()
        scene.recovers()


# --- the clock ------------------------------------------------------------------------------------------------


@on_sqlite
@pytest.mark.parametrize("jump", [timedelta(days=366), timedelta(days=-366)])
def test_a_clock_that_jumped_decides_nothing_and_all_goes_on_when_it_is_right_again(
    new_departement: New, jump: timedelta
) -> None:
    with _scene(new_departement) as scene:
        scene.life.goes_on()
        scene.departement.forget_requests()
        ended = scene.program.runs(ahead=jump.total_seconds())
        scene.told(ended, REMOTE, "our clock is", "NTP")
        assert scene.departement.writes() == []
        assert "our clock is" in scene.program.runs("holds").said
        scene.recovers()
        assert scene.program.runs("holds").status == FINE
