"""`agents notice`: the mail to agents before their calendars are linked, as text for a person to send."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.agents.notice import Notice, NoticeSubject, notice
from gateway.cli.agents_file import write_new
from gateway.cli.exits import Exit, UserError
from gateway.cli.output import messages, print_json, progress
from gateway.cli.session import remote
from gateway.composition import Application
from gateway.rules.book import RuleSubject
from gateway.sync.values import MatchedAgent


def run(config: Path, agents: tuple[int, ...], wave: int | None, directory: Path | None, *, as_json: bool) -> Exit:
    """Print the notices, or write each into a file of its own. They are sent by nobody here."""
    if not agents and wave is None:
        raise UserError("Name the agents, or a wave with --wave.", remedy="See `rdv-gateway agents`.")
    with remote(config) as application, progress("Reading agents…", as_json=as_json):
        made = _notices(application, agents, wave)
    files: dict[int, str] = {}
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
        for one in made:
            path = directory / f"notice-{one.agent_id}.txt"
            write_new(path, one.as_text())
            files[one.agent_id] = str(path)
    if as_json:
        print_json({"notices": [_json(one, files) for one in made]})
    elif directory is None:
        print(f"\n{'-' * 72}\n\n".join(one.as_text() for one in made), end="")
    else:
        messages().print(f"{len(made)} notices are in {directory}. Nothing was sent.")
    return Exit.FINE


def _notices(application: Application, agents: tuple[int, ...], wave: int | None) -> list[Notice]:
    store = application.store
    subjects: dict[int, NoticeSubject] = {}
    waves: dict[int, int | None] = {}
    for linked in store.agents():
        sources = tuple(map(str, linked.sources))
        subjects[linked.agent_id] = NoticeSubject(linked.subject, sources, str(linked.target))
        waves[linked.agent_id] = linked.wave
    for matched in store.matched_agents():
        subjects[matched.agent_id] = _matched(matched)
        waves[matched.agent_id] = matched.wave
    wanted = sorted({*agents, *(number for number, each in waves.items() if wave is not None and each == wave)})
    shown = {agent.id: agent for agent in application.rdv_solidarites.agents()}
    _require(wanted, shown, subjects)
    return [notice(shown[number], subjects[number], application.settings) for number in wanted]


def _matched(matched: MatchedAgent) -> NoticeSubject:
    sources = matched.sources or ((matched.target,) if matched.target else ())
    return NoticeSubject(
        RuleSubject(matched.agent_id, matched.organisation_id, matched.service_id),
        tuple(f"{matched.account}:{each}" for each in sources),
        f"{matched.account}:{matched.target}" if matched.target else "",
    )


def _require(wanted: list[int], shown: Mapping[int, object], subjects: Mapping[int, object]) -> None:
    if not wanted:
        raise UserError("Nobody is in that wave.", remedy="See `rdv-gateway agents export`.")
    for number in wanted:
        if number not in subjects:
            raise UserError(f"Agent {number} is neither matched nor enrolled.", remedy="See `rdv-gateway agents`.")
        if number not in shown:
            raise UserError(f"RDV-Solidarités does not show agent {number}.", remedy="Name the others alone.")


def _json(one: Notice, files: Mapping[int, str]) -> dict[str, object]:
    text = {"email": one.email, "subject": one.subject, "body": one.body}
    return {"agent": one.agent_id, **text, "file": files.get(one.agent_id)}
