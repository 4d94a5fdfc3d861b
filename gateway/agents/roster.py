"""The mapping file against what is known: what an import would change, and doing it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from connectors.records import Agent
from gateway.agents.life import pause, resume
from gateway.agents.roster_file import LineFault, RosterLine, RosterState
from gateway.store.store import Store
from gateway.store.transaction import Transaction
from gateway.sync.values import AgentState, CalendarRef, JournalEntry, LinkedAgent, MatchedAgent

_COMMANDS = {
    RosterState.FIRST_RUN: "Enrol them with `rdv-gateway enroll`.",
    RosterState.LIVE: "Agents go live by `rdv-gateway approve` and `rdv-gateway sync`.",
    RosterState.LEFT: "Let them leave with `rdv-gateway leave`.",
    RosterState.MATCHED: "Let them leave with `rdv-gateway leave` first.",
    RosterState.UNKNOWN: "Let them leave with `rdv-gateway leave` first.",
}


@dataclass(frozen=True, slots=True)
class Known:
    """What is known before an import. `account_fault`: why an account cannot be used, None when it can.
    `organisations`: ids of those that RDV-Solidarités shows; None: it was not asked."""

    agents: tuple[Agent, ...]
    linked: Mapping[int, LinkedAgent]
    matched: Mapping[int, MatchedAgent]
    account_fault: Callable[[str], str | None]
    organisations: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """One agent to change: `what` happens (match, rematch, unmatch, rules, wave, pause, resume), and to which columns.
    `organisation_id`, `service_id`: of an enrolled agent, as they shall be."""

    line: int
    agent_id: int
    what: tuple[str, ...]
    fields: tuple[str, ...]
    matched: MatchedAgent | None = None
    wave: int | None = None
    organisation_id: int | None = None
    service_id: int | None = None

    @property
    def changes_rules(self) -> bool:
        """Whether other rules may hold for an enrolled agent."""
        return "rules" in self.what


@dataclass(frozen=True, slots=True)
class Import:
    edits: tuple[Edit, ...]
    faults: tuple[LineFault, ...]
    unchanged: int


def known(
    store: Store,
    agents: Sequence[Agent],
    account_fault: Callable[[str], str | None],
    organisations: Iterable[int] | None = None,
) -> Known:
    """What the store and RDV-Solidarités say now."""
    return Known(
        agents=tuple(agents),
        linked={agent.agent_id: agent for agent in store.agents()},
        matched={agent.agent_id: agent for agent in store.matched_agents()},
        account_fault=account_fault,
        organisations=None if organisations is None else frozenset(organisations),
    )


def roster(now: Known) -> tuple[RosterLine, ...]:
    """Every agent that RDV-Solidarités shows or the gateway knows, by id."""
    shown = {agent.id: agent for agent in now.agents}
    ids = sorted(shown.keys() | now.linked.keys() | now.matched.keys())
    return tuple(_line(number, shown.get(number), now) for number in ids)


def _line(agent_id: int, agent: Agent | None, now: Known) -> RosterLine:
    email = (agent.email or "") if agent else ""
    name = f"{agent.first_name} {agent.last_name}".strip() if agent else ""
    matched, linked = now.matched.get(agent_id), now.linked.get(agent_id)
    if matched is not None:
        return RosterLine(
            agent_id=agent_id,
            email=email,
            name=" ".join(name.split()),
            account=matched.account,
            receives=matched.target,
            blocks=matched.sources,
            zone=matched.zone.key if matched.zone else "",
            organisation=matched.organisation_id,
            service=matched.service_id,
            wave=matched.wave,
            state=RosterState.MATCHED,
        )
    if linked is None:
        return RosterLine(agent_id=agent_id, email=email, name=" ".join(name.split()))
    return RosterLine(
        agent_id=agent_id,
        email=email,
        name=" ".join(name.split()),
        account=linked.target.account,
        receives=linked.target.calendar,
        blocks=_blocks(linked),
        zone=linked.zone.key,
        organisation=linked.organisation_id,
        service=linked.service_id,
        wave=linked.wave,
        state=RosterState(linked.state.value),
    )


def _blocks(linked: LinkedAgent) -> tuple[str, ...]:
    if linked.sources == (linked.target,):
        return ()
    return tuple(ref.calendar if ref.account == linked.target.account else str(ref) for ref in linked.sources)


# --- what an import would change -----------------------------------------------------------------------------


class _FaultError(ValueError):
    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


def compare(lines: Iterable[RosterLine], now: Known) -> Import:
    """Pure. Agents whom the file does not name stay as they are."""
    people = _People(now)
    edits: list[Edit] = []
    faults: list[LineFault] = []
    met: dict[int, int] = {}
    receiving = {linked.target: agent_id for agent_id, linked in now.linked.items()}
    unchanged = 0
    for line in lines:
        try:
            agent_id = people.who(line)
            if agent_id in met:
                raise _FaultError(f"agent {agent_id} stands on line {met[agent_id]} already", "Keep one of the lines.")
            met[agent_id] = line.line
            edit = _edit(agent_id, line, now)
            if edit is not None and edit.matched is not None:
                _take_target(edit.matched, receiving)
        except _FaultError as fault:
            faults.append(LineFault(line.line, str(fault), fault.remedy))
            continue
        if edit is None:
            unchanged += 1
        else:
            edits.append(edit)
    return Import(tuple(edits), tuple(faults), unchanged)


class _People:
    """Who a line speaks of."""

    def __init__(self, now: Known) -> None:
        self._emails = {agent.id: (agent.email or "").casefold() for agent in now.agents}
        self._by_email = {email: number for number, email in self._emails.items() if email}
        self._ids = self._emails.keys() | now.linked.keys() | now.matched.keys()

    def who(self, line: RosterLine) -> int:
        remedy = "See `rdv-gateway agents`; give the technical account a role in the agent's organisation."
        email = line.email.casefold()
        if line.agent_id is None:
            found = self._by_email.get(email)
            if found is None:
                raise _FaultError(f"RDV-Solidarités shows no agent with the e-mail {line.email}", remedy)
            return found
        if line.agent_id not in self._ids:
            raise _FaultError(f"RDV-Solidarités shows no agent {line.agent_id}", remedy)
        if email and self._emails.get(line.agent_id, email) != email:
            raise _FaultError(
                f"agent {line.agent_id} has another e-mail in RDV-Solidarités", "Correct the id or the e-mail."
            )
        return line.agent_id


def _edit(agent_id: int, line: RosterLine, now: Known) -> Edit | None:
    linked, before = now.linked.get(agent_id), now.matched.get(agent_id)
    line = _with_what_it_leaves_out(line, before or linked)
    _check_organisation(line, before or linked, now)
    if linked is not None and before is None and not _comes_back(line, linked):
        return _edit_linked(line, linked)
    if line.state not in (RosterState.UNKNOWN, RosterState.MATCHED):
        raise _FaultError(f"agent {agent_id} is not {line.state.value} here", _COMMANDS.get(line.state, ""))
    if not line.account:
        if line.state is RosterState.MATCHED or any((line.wave, line.zone, line.organisation, line.service)):
            remedy = "Give the account, or leave zone, organisation, service, wave and state empty."
            raise _FaultError("it names no account", remedy)
        return None if before is None else Edit(line.line, agent_id, ("unmatch",), ("account",))
    fault = now.account_fault(line.account)
    if fault is not None:
        raise _FaultError(fault, "Correct the account, or add it to [[accounts]].")
    after = MatchedAgent(
        agent_id=agent_id,
        account=line.account,
        sources=line.blocks,
        target=line.receives,
        zone=ZoneInfo(line.zone) if line.zone else None,
        wave=line.wave,
        organisation_id=line.organisation,
        service_id=line.service,
    )
    if after == before:
        return None
    fields = tuple(
        name
        for name, field in _MATCHED_FIELDS.items()
        if before is None or getattr(before, field) != getattr(after, field)
    )
    return Edit(line.line, agent_id, ("rematch" if before else "match",), fields, matched=after)


_MATCHED_FIELDS = {
    "account": "account",
    "receives": "target",
    "blocks": "sources",
    "zone": "zone",
    "organisation": "organisation_id",
    "service": "service_id",
    "wave": "wave",
}


def _with_what_it_leaves_out(line: RosterLine, before: MatchedAgent | LinkedAgent | None) -> RosterLine:
    """A file from before there were rules by organisation takes nobody's rules away."""
    if before is None or not line.left_out:
        return line
    return replace(
        line,
        organisation=before.organisation_id if "organisation" in line.left_out else line.organisation,
        service=before.service_id if "service" in line.left_out else line.service,
    )


def _check_organisation(line: RosterLine, before: MatchedAgent | LinkedAgent | None, now: Known) -> None:
    """Of what is new in the file only: an organisation that is hidden for a while stops no other change."""
    wanted = line.organisation
    if wanted is None or now.organisations is None or (before is not None and wanted == before.organisation_id):
        return
    if wanted not in now.organisations:
        raise _FaultError(
            f"RDV-Solidarités shows no organisation {wanted}", "Give the id of one that `rdv-gateway rules ids` lists."
        )


def _comes_back(line: RosterLine, linked: LinkedAgent) -> bool:
    return linked.state is AgentState.LEFT and line.state is RosterState.MATCHED


def _edit_linked(line: RosterLine, linked: LinkedAgent) -> Edit | None:
    sources = _blocks(linked)
    places = (line.account, line.receives, line.blocks, line.zone)
    if places not in (
        (linked.target.account, linked.target.calendar, sources, linked.zone.key),
        (linked.target.account, linked.target.calendar, (linked.target.calendar,), linked.zone.key),
    ):
        raise _FaultError(
            f"agent {linked.agent_id} is enrolled with other calendars or another zone",
            "Until a first plan is approved, `rdv-gateway enroll` corrects them; afterwards they cannot be changed.",
        )
    what: list[str] = []
    fields: list[str] = []
    if (line.organisation, line.service) != (linked.organisation_id, linked.service_id):
        what.append("rules")
        fields += ["organisation"] * (line.organisation != linked.organisation_id)
        fields += ["service"] * (line.service != linked.service_id)
    if line.wave != linked.wave:
        what.append("wave")
        fields.append("wave")
    if line.state.value != linked.state.value:
        what.append(_state_change(line.state, linked))
        fields.append("state")
    if not what:
        return None
    return Edit(
        line.line,
        linked.agent_id,
        tuple(what),
        tuple(fields),
        wave=line.wave,
        organisation_id=line.organisation,
        service_id=line.service,
    )


def _state_change(wanted: RosterState, linked: LinkedAgent) -> str:
    running = (AgentState.FIRST_RUN, AgentState.LIVE)
    if wanted is RosterState.PAUSED and linked.state in running:
        return "pause"
    back = RosterState.LIVE if linked.first_run_approved else RosterState.FIRST_RUN
    if linked.state is AgentState.PAUSED and wanted is back:
        return "resume"
    raise _FaultError(
        f"agent {linked.agent_id} is {linked.state.value}; a file cannot make them {wanted.value or 'unknown'}",
        _COMMANDS.get(wanted, "Use `rdv-gateway pause` and `rdv-gateway resume`."),
    )


def _take_target(matched: MatchedAgent, receiving: dict[CalendarRef, int]) -> None:
    """One agent's RDVs are not for another one to read."""
    if not matched.target:
        return
    target = CalendarRef(matched.account, matched.target)
    other = receiving.setdefault(target, matched.agent_id)
    if other != matched.agent_id:
        raise _FaultError(f"{target} already receives the RDVs of agent {other}", "Name this agent's own calendar.")


# --- doing it ------------------------------------------------------------------------------------------------


def apply(store: Store, edits: Sequence[Edit], *, at: datetime, by: str) -> None:
    """All of them, or none."""
    linked = {agent.agent_id: agent for agent in store.agents()}
    with store.transaction() as tx:
        for edit in edits:
            for what in edit.what:
                _apply_one(tx, what, edit, linked.get(edit.agent_id))
            tx.journal(
                JournalEntry(
                    at=at,
                    run_id="",
                    agent_id=edit.agent_id,
                    side="gateway",
                    action="import",
                    object="agent",
                    reference=f"agent {edit.agent_id}",
                    rule=f"{', '.join(edit.what)}: mapping file",
                    fields=edit.fields,
                    by=by,
                )
            )


def _apply_one(tx: Transaction, what: str, edit: Edit, linked: LinkedAgent | None) -> None:
    if edit.matched is not None:
        tx.put_matched(edit.matched)
    elif what == "unmatch":
        tx.drop_matched(edit.agent_id)
    elif what == "rules":
        tx.set_agent_home(edit.agent_id, edit.organisation_id, edit.service_id)
    elif what == "wave":
        tx.set_agent_wave(edit.agent_id, edit.wave)
    elif linked is not None:
        (pause if what == "pause" else resume)(tx, linked)
