"""`demo` and `sandbox` as programs of their own: what they print, and that nothing of them stays."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from gateway.demo.agendas import agendas
from gateway.demo.calendars import fill
from gateway.demo.stage import AGENTS
from gateway.settings import load

PERSONAL = ("Dentiste", "Yoga", "Bretagne", "médical", "CRIP", "Contexte inventé", "usagers.example")


def program(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from gateway.cli.main import main; main()", *arguments]


def servers_of(parent: int) -> list[int]:
    """Calendar servers that a demo has started."""
    return [pid for pid in processes() if is_server(pid) and parent_of(pid) == parent]


def processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")]


def is_server(pid: int) -> bool:
    """Whether that process is (still) a calendar server of a demo."""
    try:
        return b"gateway.demo.radicale_child" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory):
    """One `demo --once --json`, and the directory that it leaves."""
    directory = tmp_path_factory.mktemp("demo") / "new"
    ran = subprocess.run(
        program("demo", "--once", "--json", "--directory", str(directory)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ran, directory


class TestOnce:
    """Three rounds, for scripts."""

    def test_stdout_is_one_document_with_three_rounds(self, once):
        """Each round has every list, and the count of requests per system."""
        ran, _ = once
        assert (ran.returncode, ran.stderr) == (0, "")
        rounds = json.loads(ran.stdout)["rounds"]
        assert len(rounds) == 3
        for each in rounds:
            assert {"operations", "held", "set_aside", "conflicts", "errors", "requests"} <= each.keys()
            assert each["errors"] == []
            assert set(each["requests"]) == {"rdv_solidarites", *AGENTS}

    def test_the_first_round_shows_both_directions_and_a_pair(self, once):
        """RDVs are copied, events block, absences are shown, and the twin is recognised; for every agent."""
        operations = json.loads(once[0].stdout)["rounds"][0]["operations"]
        seen = {(each["side"], each["action"], each["object"]) for each in operations}
        assert seen == {
            ("calendar", "create", "rdv_copy"),
            ("calendar", "create", "absence_event"),
            ("rdv_solidarites", "create", "busy_block"),
            ("rdv_solidarites", "pair", "busy_block"),
        }
        assert len({each["agent"] for each in operations}) == len(AGENTS)
        assert all(each["rule"] for each in operations)

    def test_the_first_plan_was_held_whole(self, once):
        """Before anything was approved nothing was allowed but pairing."""
        first = json.loads(once[0].stdout)["first_plan"]
        assert {each["reason"] for each in first["held"]} == {"first_run"}
        assert {each["action"] for each in first["operations"]} == {"pair"}

    def test_the_second_and_third_rounds_write_nothing(self, once):
        """Convergence; and a quiet round asks each home once."""
        _, second, third = json.loads(once[0].stdout)["rounds"]
        assert (second["operations"], third["operations"]) == ([], [])
        assert {third["requests"][login] for login in AGENTS} == {1}

    def test_nothing_personal_is_printed(self, once):
        """Titles of events, fields of usagers."""
        assert [word for word in PERSONAL if word in once[0].stdout] == []

    def test_the_directory_holds_a_real_configuration(self, once):
        """Private secrets, and a file that any command accepts."""
        _, directory = once
        assert {account.name for account in load(directory / "rdv-gateway.toml").accounts} == set(AGENTS)
        assert (directory / "rdv-gateway.keys").stat().st_mode & 0o077 == 0

    def test_a_demo_is_taken_up_again_for_people(self, once):
        """The next one goes on where it ended: nothing is left to write. Its words are a line for each round."""
        _, directory = once
        ran = subprocess.run(
            program("demo", "--once", "--directory", str(directory)),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0
        assert re.findall(r"^Round (\d): 0 operations", ran.stdout, re.MULTILINE) == ["1", "2", "3"]

    def test_a_directory_that_holds_anything_else_is_refused(self, tmp_path):
        """A deployment is never overwritten."""
        (tmp_path / "rdv-gateway.toml").write_text("mine")
        ran = subprocess.run(
            program("demo", "--once", "--directory", str(tmp_path)),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 2
        assert "holds no demo" in ran.stderr
        assert (tmp_path / "rdv-gateway.toml").read_text() == "mine"


class Watching:
    """A `demo` that runs, and what it has printed."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self._out = (directory.parent / "out.txt").open("w+", encoding="utf-8")
        command = program("demo", "--directory", str(directory), *arguments)
        self.process = subprocess.Popen(command, stdout=self._out, stderr=subprocess.STDOUT)

    def wait_for(self, pattern: str, *, seconds: float = 40.0) -> re.Match[str]:
        """The first match in what was printed. Fails when it does not come, or when the demo ends."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := re.search(pattern, self.printed(), re.MULTILINE):
                return found
            assert self.process.poll() is None, self.printed()
            time.sleep(0.1)
        raise AssertionError(f"{pattern} never came:\n{self.printed()}")

    def printed(self) -> str:
        """All of it so far."""
        return Path(self._out.name).read_text(encoding="utf-8")

    def server(self) -> int:
        """The process of its calendar server."""
        (server,) = servers_of(self.process.pid)
        return server

    def close(self) -> None:
        """End it if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._out.close()


@pytest.fixture
def watching(tmp_path: Path):
    """Starts a `demo` that goes on; ended at the end, whatever happened."""
    started = []

    def start(*arguments: str) -> Watching:
        started.append(Watching(tmp_path / "demo", *arguments))
        return started[-1]

    yield start
    for each in started:
        each.close()


class TestWatching:
    """Until somebody ends it."""

    def test_a_change_is_told_and_the_end_is_clean(self, watching):
        """What a person adds in a calendar blocks within seconds; after Ctrl-C nothing runs on."""
        demo = watching()
        url = demo.wait_for(r"Calendar of gina \(CalDAV\): (http://[^ ]+/gina/)agenda/ \(login gina, password (\w+)\)")
        demo.wait_for(r"Ctrl-C ends the demo")
        server = demo.server()
        (entry, *_) = agendas(time_travelled())["maya"]
        fill(url[1], "gina", url[2], [entry])
        demo.wait_for(r"^Round [2-9]: 1 operations")
        demo.process.send_signal(signal.SIGINT)
        assert demo.process.wait(20) == 0
        assert demo.printed().endswith("The demo has ended.\n")
        assert not is_server(server)

    def test_scripts_get_one_object_a_line_until_they_end_it(self, watching):
        """The first plan, rounds, addresses."""
        demo = watching("--json")
        demo.wait_for(r'^\{"addresses"')
        server = demo.server()
        demo.process.terminate()
        assert demo.process.wait(20) == 0
        assert [next(iter(json.loads(line))) for line in demo.printed().splitlines()][:3] == [
            *("first_plan", "round", "addresses"),
        ]
        assert not is_server(server)

    def test_a_killed_demo_leaves_no_server_behind(self, watching):
        """Even when it had no chance to say goodbye."""
        demo = watching("--json")
        demo.wait_for(r'^\{"first_plan"')
        server = demo.server()
        demo.process.kill()
        demo.process.wait()
        deadline = time.monotonic() + 10
        while is_server(server) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not is_server(server)


def time_travelled():
    """A day whose agendas lie two weeks after those of the demo: an event at a time that is still free."""
    return datetime.now(UTC).date() + timedelta(weeks=2)


class TestSandbox:
    """The double alone."""

    def test_a_port_that_is_taken_is_said(self, cli, tmp_path):
        """With the option that mends it."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            answer = cli.run("sandbox", "--directory", str(tmp_path), "--port", port)
        assert answer.code == 2
        assert "--port" in answer.err

    def test_serves_until_it_is_ended_and_keeps_its_state(self, tmp_path):
        """Scripts get its address and its technical account."""
        command = program("sandbox", "--directory", str(tmp_path / "state"), "--port", "0", "--json")
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            text = ""
            while not text.endswith("}\n"):
                text += process.stdout.readline()
            answer = json.loads(text)
            credentials = {"email": answer["login"], "password": answer["password"]}
            with httpx2.Client(base_url=answer["url"], trust_env=False) as client:
                assert client.post("/api/v1/auth/sign_in", json=credentials).status_code == 200
            process.terminate()
            assert process.wait(10) == 0
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        assert (tmp_path / "state" / "sandbox.sqlite3").exists()
