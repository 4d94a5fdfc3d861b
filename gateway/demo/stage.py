"""The demo's directory: the same files as a real deployment's, beside the data of both servers.

Nothing of it is real. A directory that holds anything but a demo is refused, so that no deployment is overwritten.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gateway.cli.exits import UserError
from gateway.cli.init import make_files
from gateway.cli.template import NewAccount, NewSettings, password_file, render
from gateway.sandbox.seed import ACCOUNT, PASSWORD
from gateway.settings import Settings, load

AGENTS = ("martine", "bruno", "gina", "maya")
CALENDAR_PASSWORD = "demo"  # noqa: S105 - the documented password of sample data
OVERSEAS = {3: "Indian/Reunion"}  # the sandbox's third organisation

_MARK = "rdv-gateway-demo"


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything of one demo is."""

    directory: Path

    @property
    def settings(self) -> Path:
        """The configuration file."""
        return self.directory / "rdv-gateway.toml"

    @property
    def database(self) -> Path:
        """The gateway's database, by its default name."""
        return self.directory / "rdv-gateway.sqlite3"

    @property
    def sandbox(self) -> Path:
        """The state of the double of RDV-Solidarités."""
        return self.directory / "sandbox.sqlite3"

    @property
    def radicale(self) -> Path:
        """The directory of the calendar server."""
        return self.directory / "radicale"

    @property
    def is_filled(self) -> bool:
        """Whether an earlier demo put its sample data here to the end."""
        return (self.directory / _MARK).read_text(encoding="utf-8") == "filled\n"

    def mark_filled(self) -> None:
        """Remember that the sample data are here."""
        (self.directory / _MARK).write_text("filled\n", encoding="utf-8")


def prepare(directory: Path) -> Place:
    """Make the directory, or take up the demo that it holds. Raises `UserError` when it holds anything else."""
    mark = directory / _MARK
    if directory.exists() and any(directory.iterdir()) and not mark.exists():
        raise UserError(f"{directory} is not empty and holds no demo.", remedy="Name another one with --directory.")
    directory.mkdir(parents=True, exist_ok=True)
    if not mark.exists():
        mark.write_text("begun\n", encoding="utf-8")
    return Place(directory)


@dataclass(frozen=True, slots=True)
class Ports:
    """Where both servers listen; 0: anywhere."""

    rdv_solidarites: int = 0
    calendars: int = 0


def former_ports(place: Place) -> Ports:
    """The ports of the demo that is taken up, where they are free: links in calendars and programs set up on them
    hold on."""
    if not place.settings.exists():
        return Ports()
    settings = load(place.settings)
    urls = (settings.rdv_solidarites.url, settings.accounts[0].url)
    return Ports(*(_if_free(urlsplit(url).port or 0) for url in urls))


def _if_free(port: int) -> int:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return 0
    return port


def write_settings(place: Place, *, rdv_solidarites: str, calendars: str, logins: Collection[str]) -> Settings:
    """Write the configuration with the addresses of this time, and make keys and database if there are none."""
    secrets = place.directory / "secrets"
    secrets.mkdir(mode=0o700, exist_ok=True)
    _write_secret(secrets / "rdv-solidarites", PASSWORD)
    _write_secret(secrets / "calendars", CALENDAR_PASSWORD)
    text = render(
        NewSettings(
            url=rdv_solidarites,
            login=ACCOUNT,
            password=password_file("secrets/rdv-solidarites"),
            # The sandbox is ours: no need to be gentle with it.
            more=f"requests_per_second = 200.0\n{_zones(OVERSEAS)}",
            accounts=[
                NewAccount(
                    name=login,
                    url=f"{calendars}{login}/",
                    username=login,
                    password=password_file("secrets/calendars"),
                    profile="radicale",
                )
                for login in logins
            ],
        )
    )
    place.settings.write_text(text, encoding="utf-8")
    settings = load(place.settings)
    make_files(settings)
    return settings


def _zones(zones: Mapping[int, str]) -> str:
    lines = "".join(f'{organisation} = "{zone}"\n' for organisation, zone in zones.items())
    return f"\n[rdv_solidarites.organisation_zones]\n{lines}"


def _write_secret(path: Path, secret: str) -> None:
    path.touch(mode=0o600)
    path.write_text(f"{secret}\n", encoding="utf-8")
