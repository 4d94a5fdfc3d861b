"""`support bundle`: what a maintainer needs, without one title or name. `support who`: whom a name in it means."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from connectors.errors import ConnectorError
from gateway.agents.accounts import split_name
from gateway.cli.exits import Exit, UserError
from gateway.cli.output import messages, print_json, progress, results
from gateway.cli.session import local
from gateway.clock import SystemClock
from gateway.composition import account_book, clock_offsets, known_profiles, opened_store, shared_by_accounts
from gateway.keys import Keyring, load_keys
from gateway.settings import Settings, load
from gateway.settings_problems import SettingsError
from gateway.store.store import Store
from gateway.support.bundle import salt_of, write_bundle
from gateway.support.configuration import configuration_facts, system_name
from gateway.support.contents import Maker, attempted
from gateway.support.pseudonyms import Pseudonyms
from gateway.support.words import vocabulary

_SALT_BYTES = 16


def bundle(config: Path, to: Path, *, log: Path | None, offline: bool, as_json: bool) -> Exit:
    """Write the bundle. What cannot be told is said to have failed; the rest is there."""
    settings = load(config)
    keys = load_keys(settings.gateway.keys)
    if log is not None and not log.is_file():
        raise UserError(f"There is no log file {log}.", remedy="Name a file, or leave --log out.")
    clock = SystemClock()
    maker = Maker(Pseudonyms(keys.digest_key, os.urandom(_SALT_BYTES)), vocabulary(), clock.now())
    documents: dict[str, object] = {"about": attempted(maker.about)}
    documents["configuration"] = attempted(partial(configuration_facts, settings, maker.names, known_profiles()))
    with progress("Collecting…", as_json=as_json):
        documents |= _from_database(settings, keys, maker, offline=offline)
        if not offline:
            documents["clocks"] = attempted(lambda: _clocks(settings, maker))
    if log is not None:
        documents["log"] = attempted(partial(maker.log, log))
    try:
        write_bundle(to, documents)
    except FileExistsError:
        raise UserError(f"{to} exists.", remedy="Name a new file.") from None
    except OSError as error:
        raise UserError(f"{to} cannot be written: {error.strerror}.", remedy="Name another place.") from None
    failed = [name for name, document in documents.items() if isinstance(document, dict) and "failed" in document]
    if as_json:
        print_json({"file": str(to), "documents": sorted(documents), "failed": failed})
        return Exit.FINE
    results().print(f"{to}: {', '.join(sorted(documents))}. Read it before you send it.")
    if failed:
        messages().print(f"Could not be told: {', '.join(failed)}.")
    return Exit.FINE


def _from_database(settings: Settings, keys: Keyring, maker: Maker, *, offline: bool) -> dict[str, object]:
    """Every document that needs it; one that says why when it cannot be opened."""
    place = settings.gateway.database
    directory = place.absolute().parent if isinstance(place, Path) else None
    try:
        with opened_store(settings) as store:
            documents = {
                "database": attempted(partial(maker.database, store, directory)),
                "agents": attempted(partial(maker.agents, store)),
                "runs": attempted(partial(maker.runs, store)),
                "waiting": attempted(partial(maker.waiting, store)),
                "journal": attempted(partial(maker.journal, store)),
                "performance": attempted(partial(maker.performance, store)),
            }
            if not offline:
                documents["servers"] = attempted(lambda: list(_servers(settings, store, keys, maker)))
            return documents
    except (ConnectorError, SettingsError) as error:
        return {"database": {"failed": type(error).__name__, "reason": maker.words.only(str(error))}}


def _servers(settings: Settings, store: Store, keys: Keyring, maker: Maker) -> Iterator[dict[str, object]]:
    """The portrait of each account's server, by one of its agents' parts where it serves many; reads only."""
    parts: dict[str, str] = {}
    for agent in store.agents():
        for ref in agent.calendars:
            parts.setdefault(split_name(ref.account)[0], ref.account)
    shared = shared_by_accounts(SystemClock(), store, keys)
    for section in settings.accounts:
        name = parts.get(section.name, section.name)
        try:
            with closing(account_book(settings.model_copy(update={"accounts": (section,)}), shared)) as book:
                account = book.get(name)
                if account is not None:
                    yield maker.server(section.name, account.traits())
        except (ConnectorError, SettingsError) as error:
            told = {"account": system_name(section.name, maker.names), "failed": type(error).__name__}
            yield {**told, "reason": maker.words.only(str(error))}


def _clocks(settings: Settings, maker: Maker) -> dict[str, float | None]:
    offsets = clock_offsets(settings, SystemClock())
    return {system_name(name, maker.names): offset for name, offset in offsets.items()}


def who(config: Path, file: Path, names: list[str], *, as_json: bool) -> Exit:
    """Which agent, organisation or account each name of a bundle means, told with this machine's keys."""
    try:
        salt = salt_of(file)
    except (OSError, ValueError):
        raise UserError(f"{file} is no incident bundle.", remedy="Name the file that was sent.") from None
    with local(config) as (settings, store):
        pseudonyms = Pseudonyms(load_keys(settings.gateway.keys).digest_key, salt)
        candidates = _candidates(settings, store)
    found = {name: pseudonyms.whose(name, candidates.get(name.rpartition("-")[0], ())) for name in names}
    if as_json:
        print_json({"names": found})
    else:
        for name, value in found.items():
            results().print(f"{name}: {'nobody known here' if value is None else value}")
    return Exit.FINE if all(value is not None for value in found.values()) else Exit.NEEDS_PERSON


def _candidates(settings: Settings, store: Store) -> dict[str, tuple[object, ...]]:
    return {
        "agent": tuple(agent.agent_id for agent in store.agents()),
        "organisation": tuple(store.organisation_states()),
        "account": tuple(section.name for section in settings.accounts),
    }
