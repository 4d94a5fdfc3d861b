"""`enroll`: link agents to calendars. Nothing is written on either side before their first plan is approved."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from connectors.records import Agent
from gateway.agents.accounts import split_name
from gateway.agents.enrolling import Enrolled, Enrolling, Refused, record
from gateway.cli.exits import Exit, UserError
from gateway.cli.output import messages, print_json, progress, results, table
from gateway.cli.session import remote
from gateway.composition import Application
from gateway.settings_problems import nearest
from gateway.sync.values import LinkedAgent, MatchedAgent

_SECOND_SYNCHRONISER = (
    "Whoever uses RDV-Solidarités' own calendar sync switches it off first; `plan` says where it is seen."
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for. None and nothing: as matched, or to be found out. `agent` or `wave`."""

    agent: str | None
    account: str | None = None
    target: str | None = None
    sources: tuple[str, ...] = ()
    zone: str | None = None
    wave: int | None = None

    @property
    def is_plain(self) -> bool:
        """Whether nothing is said beside whom."""
        return not (self.account or self.target or self.sources or self.zone)


def run(config: Path, wish: Wish, *, as_json: bool) -> Exit:
    """Enroll one agent and say with what, or a wave."""
    if (wish.agent is None) == (wish.wave is None):
        raise UserError("Name one agent, or a wave with --wave.", remedy="See `rdv-gateway agents`.")
    if wish.wave is not None:
        if not wish.is_plain:
            raise UserError("A wave is enrolled as it was matched.", remedy="Change it by `rdv-gateway agents import`.")
        return _run_wave(config, wish.wave, as_json=as_json)
    with remote(config) as application, progress("Looking at both sides…", as_json=as_json):
        linked = enroll(application, wish)
    if as_json:
        print_json(_json(linked))
    else:
        results().print(
            f"Agent {linked.agent_id} is enrolled ({linked.zone.key}).\n"
            f"RDVs are copied to {linked.target}; blocking: {', '.join(map(str, linked.sources))}.\n"
            f"The notice to send them: `rdv-gateway agents notice {linked.agent_id}`.\n"
            f"{_SECOND_SYNCHRONISER}\n"
            "Nothing is written yet. Next: `rdv-gateway plan`, then `rdv-gateway approve`."
        )
    return Exit.FINE


def enroll(application: Application, wish: Wish) -> LinkedAgent:
    """Check the wish against both sides, then record it with its journal entry. Raises `UserError`."""
    settings, store = application.settings, application.store
    if wish.account is not None:
        settings.account(split_name(wish.account)[0])
    zone = None if wish.zone is None else _named_zone(wish.zone)
    enrolling = Enrolling(settings, store, application.accounts, application.rdv_solidarites)
    agent = _agent(enrolling.agents, wish.agent or "")
    matched = {each.agent_id: each for each in store.matched_agents()}.get(agent.id)
    if wish.account is None and (matched is None or not wish.is_plain):
        raise UserError("The account is missing.", remedy="Name it with --account; see [[accounts]].")
    wanted = matched
    if wish.account is not None or wanted is None:
        wave = matched.wave if matched else None
        wanted = MatchedAgent(
            agent_id=agent.id,
            account=wish.account or "",
            sources=wish.sources,
            target=wish.target or "",
            zone=zone,
            wave=wave,
            organisation_id=matched.organisation_id if matched else None,
            service_id=matched.service_id if matched else None,
        )
    try:
        linked = enrolling.one(wanted)
    except Refused as refusal:
        raise UserError(str(refusal), remedy=refusal.remedy) from None
    record(store, [linked], at=application.clock.now(), by=getpass.getuser())
    return linked


def _run_wave(config: Path, wave: int, *, as_json: bool) -> Exit:
    """Everybody who was matched with this wave; who cannot be enrolled is named, and stays matched."""
    with remote(config) as application, progress("Looking at both sides…", as_json=as_json):
        store = application.store
        wishes = [each for each in store.matched_agents() if each.wave == wave]
        if wishes:
            enrolling = Enrolling(application.settings, store, application.accounts, application.rdv_solidarites)
            enrolled = enrolling.many(wishes)
            record(store, enrolled.agents, at=application.clock.now(), by=getpass.getuser())
        else:
            enrolled = Enrolled((), ())
    if as_json:
        refused = [{"agent": number, "reason": str(why), "remedy": why.remedy} for number, why in enrolled.refused]
        print_json({"wave": wave, "enrolled": [_json(agent) for agent in enrolled.agents], "set_aside": refused})
    else:
        _show(wave, enrolled)
    if any(refusal.remote for _, refusal in enrolled.refused):
        return Exit.REMOTE
    return Exit.NEEDS_PERSON if enrolled.refused else Exit.FINE


def _show(wave: int, enrolled: Enrolled) -> None:
    if enrolled.refused:
        rows = [(number, str(why), why.remedy) for number, why in enrolled.refused]
        results().print(table("Not enrolled", ("Agent", "Why", "What to do"), rows))
    results().print(f"{len(enrolled.agents)} agents of wave {wave} are enrolled. Nothing is written yet.")
    if enrolled.agents:
        messages().print(_SECOND_SYNCHRONISER)
        messages().print(
            f"Next: `rdv-gateway agents notice --wave {wave}`, `rdv-gateway plan`, `rdv-gateway approve --wave {wave}`."
        )
    elif not enrolled.refused:
        messages().print("Nobody is matched with this wave. See `rdv-gateway agents export`.")


def _json(linked: LinkedAgent) -> dict[str, object]:
    return {
        "agent": linked.agent_id,
        "zone": linked.zone.key,
        "target": str(linked.target),
        "sources": [str(source) for source in linked.sources],
        "state": linked.state.value,
    }


def _named_zone(name: str) -> ZoneInfo:
    if name not in available_timezones():
        hint = nearest(name, available_timezones())
        raise UserError(f"{name} is not an IANA time zone{hint}", remedy="Give one such as Europe/Paris.")
    return ZoneInfo(name)


def _agent(agents: Mapping[int, Agent], wanted: str) -> Agent:
    """By id, or by e-mail whatever its case."""
    for agent in agents.values():
        if wanted == str(agent.id) or (agent.email is not None and agent.email.casefold() == wanted.casefold()):
            return agent
    raise UserError(
        f"RDV-Solidarités shows no agent {wanted} to the technical account.", remedy="See `rdv-gateway agents`."
    )
