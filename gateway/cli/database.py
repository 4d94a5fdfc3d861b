"""`db upgrade`: the database's schema, brought to this version. `db copy`: the whole database, in another place."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL

from gateway.cli.exits import Exit, UserError
from gateway.cli.journal_seals import verdict_json
from gateway.cli.output import print_json, progress, results, table
from gateway.composition import database_url, url_of
from gateway.journal.verify import Verdict
from gateway.keys import load_keys
from gateway.settings import load
from gateway.settings_database import database_place
from gateway.settings_parts import SecretSource
from gateway.store.copying import CopiedTable, copy_database
from gateway.store.database import open_database, sync_lock, upgrade, where
from gateway.store.store import Store

_COLUMNS = ("Table", "Rows", "SHA-256 on both ends")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a copy goes. `place`: a file's path or a PostgreSQL URL; one of the others may say where a password is."""

    place: str
    password_env: str | None = None
    password_file: Path | None = None

    def url(self) -> URL:
        """With the password. Raises `UserError`, `SettingsError`."""
        try:
            place = database_place(self.place)
        except ValueError as error:
            raise UserError(f"--to: {error}.", remedy="See `rdv-gateway db copy --help`.") from None
        if self.password_env is not None and self.password_file is not None:
            raise UserError("--password-env and --password-file are both given.", remedy="Give one of them.")
        password = None
        if self.password_env is not None or self.password_file is not None:
            password = SecretSource(key="--to", env=self.password_env, file=self.password_file)
        return url_of(place.expanduser().absolute() if isinstance(place, Path) else place, password)


def run(config: Path, *, as_json: bool) -> Exit:
    """Upgrade while nobody syncs."""
    settings = load(config)
    url, shown = database_url(settings), str(settings.gateway.database)
    with sync_lock(url):
        upgrade(url, load_keys(settings.gateway.keys))
    if as_json:
        print_json({"database": shown, "current": True})
    else:
        results().print(f"{shown} is up to date.")
    return Exit.FINE


def copy(config: Path, target: Target, *, as_json: bool) -> Exit:
    """Copy while nobody syncs, and show what was copied. The configuration stays as it is."""
    settings = load(config)
    source, goal = database_url(settings), target.url()
    keys = load_keys(settings.gateway.keys)
    open_database(source, keys).close()  # it is what the configuration says, or nothing is copied
    with progress("Copying…", as_json=as_json):
        copied = copy_database(source, goal)
    database = open_database(goal, keys)
    with closing(database), progress("Verifying the journal…", as_json=as_json):
        verdict = Store(database).verify_journal()
    _tell_copied(copied, where(source), where(goal), verdict, as_json=as_json)
    return Exit.FINE if verdict.is_whole else Exit.NEEDS_PERSON


def _tell_copied(copied: tuple[CopiedTable, ...], source: str, goal: str, verdict: Verdict, *, as_json: bool) -> None:
    if as_json:
        tables = [{"table": one.name, "rows": one.rows, "sha256": one.digest} for one in copied]
        print_json({"from": source, "to": goal, "tables": tables, "journal": verdict_json(verdict)})
        return
    console = results()
    console.print(table(f"Copied from {source} to {goal}", _COLUMNS, ((c.name, c.rows, c.digest) for c in copied)))
    console.print(f"{sum(one.rows for one in copied)} rows in {len(copied)} tables, equal on both ends.")
    if verdict.is_whole:
        console.print(f"The journal's {verdict.entries} entries are as they were written.")
    else:
        console.print("The journal is not as it was written, here or there: see `rdv-gateway journal verify`.")
    console.print("Next: name it in gateway.database, run `rdv-gateway check`, and put the old one away:")
    console.print("two syncs, one on each, would undo each other's work.")
