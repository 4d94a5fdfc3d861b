"""`rdvs login`, `rdvs status`, `rdvs logout`: the access to RDV-Solidarités, on a machine without a browser too."""

from __future__ import annotations

import getpass
import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from connectors.errors import ConnectorError
from connectors.hosts import is_loopback
from connectors.ports import Clock
from connectors.records import Agent
from gateway.cli.describe import problem_json, problem_lines
from gateway.cli.exits import Exit, UserError
from gateway.cli.listener import wait_for_redirect
from gateway.cli.output import age, messages, print_json, results, table
from gateway.cli.session import local, turn
from gateway.clock import SystemClock
from gateway.composition import ConsentAttempt, ask_for_consent, rdv_solidarites_client, stored_token
from gateway.consent import Consent, consent_of, renewed_at
from gateway.settings import OAuthSection, Settings
from gateway.store.store import Store
from gateway.sync.observe_rdv_solidarites import problem_of
from gateway.sync.values import Problem

_PATIENCE = 600.0  # seconds for a person to sign in and consent


@dataclass(frozen=True, slots=True)
class _Access:
    """What is known of the access. `problems`: none when it works and will."""

    kind: str
    agent: Agent | None
    consent: Consent | None
    renewed_at: datetime | None
    problems: tuple[Problem, ...]


def login(config: Path, *, listen: bool, as_json: bool) -> Exit:
    """Ask for consent, take the answer, keep the access."""
    with local(config) as (settings, store):
        section = _oauth_of(settings)
        if listen and not is_loopback(urlsplit(section.redirect_uri).hostname or ""):
            raise UserError(
                "--listen needs a redirect_uri of this machine.",
                remedy="Leave --listen out and paste the address, or register http://127.0.0.1:8914/.",
            )
        clock = SystemClock()
        attempt = ask_for_consent(settings, section, clock)
        console = messages()
        console.print("Open this address in a browser, on any machine, sign in as the technical account and consent:")
        # Not through the console, which may wrap it.
        sys.stderr.write(f"\n{attempt.url}\n\n")
        sys.stderr.flush()
        agent, token = attempt.redeem(_listened(attempt) if listen else _pasted())
        consent = Consent(clock.now().isoformat(), agent.id if agent else None, agent.email if agent else None)
        stored_token(settings, store, clock).begin(token, consent, by=getpass.getuser())
    if as_json:
        print_json({"agent": consent.agent_id, "email": consent.email, "obtained_at": consent.obtained_at})
    else:
        results().print(f"The access of {_name(agent)} is kept. Next: `rdv-gateway check`.")
    return Exit.FINE


def status(config: Path, *, as_json: bool) -> Exit:
    """Who we are for RDV-Solidarités, since when, and whether it will last."""
    clock = SystemClock()
    with local(config) as (settings, store):
        access = _look(settings, store, clock)
    if as_json:
        print_json(_json(access))
    else:
        results().print(table("Access to RDV-Solidarités", ("", ""), _rows(access, clock.now())))
        for line in problem_lines(access.problems):
            messages().print(line)
    return Exit.REMOTE if access.problems else Exit.FINE


def logout(config: Path, *, as_json: bool) -> Exit:
    """Forget the access, while nobody syncs: a running sync would keep the token again."""
    with local(config) as (settings, store), turn(store):
        forgotten = stored_token(settings, store, SystemClock()).forget(by=getpass.getuser())
    if as_json:
        print_json({"forgotten": forgotten})
    else:
        results().print("The access is forgotten here." if forgotten else "No access was kept.")
    return Exit.FINE


def _oauth_of(settings: Settings) -> OAuthSection:
    section = settings.rdv_solidarites.oauth
    if section is None:
        raise UserError(
            "The configuration signs in with a password: there is nothing to consent to.",
            remedy="To sign in by OAuth, replace login and its password by a section [rdv_solidarites.oauth].",
        )
    if section.refresh_token is not None:
        raise UserError(
            "The configuration names a refresh token, which would go before this consent.",
            remedy="Remove refresh_token_env or refresh_token_file from [rdv_solidarites.oauth].",
        )
    return section


def _pasted() -> str:
    console = messages()
    console.print("Then paste the address that the browser ended on (even if it shows an error), or the code:")
    answer = sys.stdin.readline()
    if not answer.strip():
        raise UserError("Nothing was pasted.", remedy="Run `rdv-gateway rdvs login` again; it reads one line.")
    return answer


def _listened(attempt: ConsentAttempt) -> str:
    address = attempt.request.redirect_uri
    return wait_for_redirect(
        address,
        attempt.is_answered_by,
        seconds=_PATIENCE,
        ready=lambda: messages().print(f"Waiting for the browser on {address} …"),
    )


def _look(settings: Settings, store: Store, clock: Clock) -> _Access:
    by_password = settings.rdv_solidarites.oauth is None
    agent, problem = None, None
    try:
        with closing(rdv_solidarites_client(settings, store, clock)) as client:
            client.organisations()  # where the instance does not tell who we are, this tells that we may come in
            agent = client.me()
    except ConnectorError as error:
        problem = problem_of(error, None)
    return _Access(
        "password" if by_password else "OAuth",
        agent,
        None if by_password else consent_of(store),
        renewed_at(store),
        (problem,) if problem else (),
    )


def _name(agent: Agent | None) -> str:
    if agent is None:
        return "an agent whom the instance does not name"
    return f"{agent.first_name} {agent.last_name} <{agent.email or 'no e-mail'}> (agent {agent.id})"


def _rows(access: _Access, now: datetime) -> list[tuple[str, str]]:
    rows = [("Kind", access.kind), ("Account", _name(access.agent) if access.agent else "-")]
    if access.consent is not None:
        rows.append(("Consent", f"{age(datetime.fromisoformat(access.consent.obtained_at), now)} ago"))
    rows.append(("Last renewal", "never" if access.renewed_at is None else f"{age(access.renewed_at, now)} ago"))
    return rows


def _json(access: _Access) -> dict[str, object]:
    return {
        "kind": access.kind,
        "agent": access.agent.id if access.agent else None,
        "email": access.agent.email if access.agent else None,
        "consented_at": access.consent.obtained_at if access.consent else None,
        "renewed_at": access.renewed_at,
        "errors": [problem_json(problem) for problem in access.problems],
    }
