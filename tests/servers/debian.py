"""What the calendar servers from Debian packages have in common.

None of them runs as root, and none may see what pytest keeps: each gets a directory of its own in memory and, when
the tests run as root, the account that its package made for it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.servers.process import ServerDidNotStart

_RAM = Path("/dev/shm")
_PLACES = "/usr/sbin:/usr/bin:/sbin:/bin"
_PATIENCE = 60.0


def program(name: str) -> str:
    """Where a program is. Raises `ServerDidNotStart`: what is missing fails a test and never skips it."""
    found = shutil.which(name, path=_PLACES)
    if found is None:
        raise ServerDidNotStart(f"{name} is missing: run this through `make test-system`, which installs it")
    return found


class Quarters:
    """A new directory that belongs to `account`, and how programs run as that account."""

    def __init__(self, account: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=f"{account}-", dir=_RAM if _RAM.is_dir() else None))
        self._prefix: list[str] = []
        self.account = pwd.getpwuid(os.geteuid()).pw_name
        if os.geteuid() == 0:
            try:
                found = pwd.getpwnam(account)
            except KeyError:
                self.remove()
                raise ServerDidNotStart(f"there is no user {account}: `make test-system` installs it") from None
            self.account = account
            os.chown(self.directory, found.pw_uid, found.pw_gid)
            ids = [f"--reuid={found.pw_uid}", f"--regid={found.pw_gid}"]
            self._prefix = [program("setpriv"), *ids, "--clear-groups"]

    def command(self, name: str, *arguments: str, **variables: str) -> list[str]:
        """A command line that runs a program as the account, with these environment variables beside ours."""
        own = {"HOME": str(self.directory), "LC_ALL": "C.UTF-8"} | variables
        return [*self._prefix, program("env"), *(f"{key}={value}" for key, value in own.items()), name, *arguments]

    def run(self, name: str, *arguments: str, given: str = "", **variables: str) -> None:
        """Run a program to its end; `given` is what it reads. Raises `ServerDidNotStart` when it fails."""
        command = self.command(name, *arguments, **variables)
        ran = subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=_PATIENCE, check=False, cwd=self.directory
        )
        if ran.returncode:
            raise ServerDidNotStart(f"{name}: {(ran.stdout + ran.stderr)[-2000:]}")

    def put(self, name: str, content: str) -> Path:
        """A file in the directory that the account can read."""
        path = self.directory / name
        path.write_text(content, encoding="utf-8")
        path.chmod(0o644)
        return path

    def remove(self) -> None:
        """The directory with all that is in it."""
        shutil.rmtree(self.directory, ignore_errors=True)
