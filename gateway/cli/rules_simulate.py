"""`rules simulate`: other rules replayed over what was last read, before anything is saved. Writes nothing anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from connectors.ports import RdvSolidaritesAccount
from connectors.records import RdvSelection
from gateway.cli.choosing import Whom
from gateway.cli.describe import held_json, operation_json, problem_json, problem_lines
from gateway.cli.exits import Exit, UserError
from gateway.cli.output import counted, messages, moment, print_json, results, table
from gateway.cli.session import remote
from gateway.composition import Application, engine_settings, rdv_solidarites_client
from gateway.rules.book import RuleBook
from gateway.rules.outcome import Span
from gateway.rules.rereading import both
from gateway.rules.simulating import Replaced, Simulation
from gateway.rules.trial import Trial, TrialReport
from gateway.settings_candidate import load_rules
from gateway.sync.engine import plan_context
from gateway.sync.observe_calendars import CalendarObserver
from gateway.sync.values import AgentState, LinkedAgent, ObjectKind

_ACTIVE = (AgentState.FIRST_RUN, AgentState.LIVE)


def run(config: Path, file: Path, agent_ids: tuple[int, ...], wave: int | None, *, as_json: bool) -> Exit:
    """Compare the saved rules with those of `file`, for everybody who is synced or for those who are named."""
    other = load_rules(file).to_book()
    with remote(config) as application:
        chosen = _chosen(application, agent_ids, wave)
        with counted("Agents", len(chosen), as_json=as_json) as one_done:
            found = trial(application, other).run(chosen, one_done)
    if as_json:
        print_json(_json(found))
    else:
        _show(found)
    return Exit.REMOTE if found.problems else Exit.FINE


def _chosen(application: Application, agent_ids: tuple[int, ...], wave: int | None) -> tuple[LinkedAgent, ...]:
    if agent_ids or wave is not None:
        named = Whom(agents=agent_ids, wave=wave).chosen(application.store)
        idle = [str(agent.agent_id) for agent in named if agent.state not in _ACTIVE]
        if idle:
            raise UserError(f"Paused, or left: {', '.join(idle)}.", remedy="Leave them out: no sync works on them.")
        return named
    found = application.store.agents(_ACTIVE)
    if not found:
        raise UserError("Nobody is enrolled.", remedy="See `rdv-gateway agents`, then `rdv-gateway enroll`.")
    return found


def trial(application: Application, other: RuleBook) -> Trial:
    """Of these rules against the configured ones, now."""
    settings = engine_settings(application.settings)
    saved = settings.rulebook
    observer = CalendarObserver(
        application.store,
        application.clock,
        application.keys.digest_key,
        timedelta(days=max(saved.longest_horizon_days, other.longest_horizon_days)),
        both(saved.patterns, other.patterns),
        settings.instance_host,
    )

    def client(selection: RdvSelection) -> RdvSolidaritesAccount:
        return rdv_solidarites_client(application.settings, application.store, application.clock, selection=selection)

    return Trial(
        store=application.store,
        accounts=application.accounts,
        before=plan_context(settings, application.keys, application.clock.now()),
        other=other,
        observer=observer,
        client=client,
        threads=application.settings.gateway.threads_per_host,
    )


# --- showing -------------------------------------------------------------------------------------------------

_COLUMNS = ("Agent", "Blocks +", "-", "renamed", "Copies +", "-", "changed", "Absences shown +", "-", "h/week", "Held")
_DETAILS = ("Agent", "What", "Which", "From", "To", "Called")


def _show(found: TrialReport) -> None:
    console = results()
    changed = [each for each in found.agents if not each.changes_nothing]
    details = [row for each in changed for row in _details(each)]
    if details:
        console.print(table("Would change", _DETAILS, details))
    if changed:
        console.print(table("By agent", _COLUMNS, [_row(each) for each in changed]))
    for line in problem_lines(found.problems):
        messages().print(line)
    totals = _totals(found.agents)
    console.print(
        f"{len(changed)} of {len(found.agents)} agents change: {totals['blocks_appear']} blocks appear,"
        f" {totals['blocks_disappear']} disappear, {totals['copies_change']} copies change;"
        f" {totals['hours_before']:.1f} -> {totals['hours_after']:.1f} h/week blocked;"
        f" {totals['writes']} writes, {totals['held']} held ({totals['writes_anyway']} writes by the saved rules)."
    )
    console.print(f"{_reading(found)} Nothing was written or saved.")


def _reading(found: TrialReport) -> str:
    if not found.reread and not found.rdvs_reread:
        return "By what was last read; no calendar was read again."
    what = [f"{found.reread} calendars"] if found.reread else []
    what += ["RDVs"] if found.rdvs_reread else []
    used = ", ".join(f"{count} to {name}" for name, count in found.requests.items())
    return f"Read again in memory, since these rules ask what was not asked before: {' and '.join(what)} ({used})."


def _row(each: Simulation) -> tuple[object, ...]:
    blocks = (len(each.appear), len(each.disappear), len(each.relabelled))
    copies = (len(each.copies.appear), len(each.copies.disappear), len(each.copies.change))
    mirrors = (len(each.mirrors.appear), len(each.mirrors.disappear))
    hours = f"{each.hours_before:.1f} -> {each.hours_after:.1f}"
    return (each.agent_id, *blocks, *copies, *mirrors, hours, len(each.held))


def _details(each: Simulation) -> Iterator[tuple[object, ...]]:
    for what, spans in (("+", each.appear), ("-", each.disappear), ("renamed", each.relabelled)):
        for span in spans:
            called = "(typed by a person)" if span.typed else span.label or "(masked)"
            yield (each.agent_id, f"{what} block", "-", moment(span.start), moment(span.end), called)
    times = {
        (operation.kind, operation.rdv_id or operation.absence_id): operation.when for operation in each.operations
    }
    for thing, kind, numbers in (
        ("copy of an RDV", ObjectKind.RDV_COPY, each.copies),
        ("event of an absence", ObjectKind.ABSENCE_EVENT, each.mirrors),
    ):
        for what, some in (("+", numbers.appear), ("-", numbers.disappear), ("changed", numbers.change)):
            for number in some:
                yield (each.agent_id, f"{what} {thing}", number, moment(times.get((kind, number))), "-", "-")


def _totals(agents: Sequence[Simulation]) -> dict[str, float]:
    return {
        "agents_changed": sum(not each.changes_nothing for each in agents),
        "blocks_appear": sum(len(each.appear) for each in agents),
        "blocks_disappear": sum(len(each.disappear) for each in agents),
        "blocks_renamed": sum(len(each.relabelled) for each in agents),
        "copies_appear": sum(len(each.copies.appear) for each in agents),
        "copies_disappear": sum(len(each.copies.disappear) for each in agents),
        "copies_change": sum(len(each.copies.change) for each in agents),
        "mirrors_appear": sum(len(each.mirrors.appear) for each in agents),
        "mirrors_disappear": sum(len(each.mirrors.disappear) for each in agents),
        "hours_before": round(sum(each.hours_before for each in agents), 1),
        "hours_after": round(sum(each.hours_after for each in agents), 1),
        "writes": sum(each.writes for each in agents),
        "held": sum(len(each.held) for each in agents),
        "writes_anyway": sum(each.writes_anyway for each in agents),
    }


def _json(found: TrialReport) -> dict[str, object]:
    return {
        "agents": [_agent_json(each) for each in found.agents],
        "totals": _totals(found.agents),
        "read_again": {"calendars": found.reread, "rdvs": found.rdvs_reread, "requests": dict(found.requests)},
        "errors": [problem_json(each) for each in found.problems],
    }


def _agent_json(each: Simulation) -> dict[str, object]:
    return {
        "agent": each.agent_id,
        "blocks": {
            "appear": [_span_json(span) for span in each.appear],
            "disappear": [_span_json(span) for span in each.disappear],
            "renamed": [_span_json(span) for span in each.relabelled],
        },
        "copies": _replaced_json(each.copies),
        "mirrors": _replaced_json(each.mirrors),
        "hours_before": round(each.hours_before, 1),
        "hours_after": round(each.hours_after, 1),
        "writes": each.writes,
        "writes_anyway": each.writes_anyway,
        "operations": [operation_json(operation) for operation in each.operations],
        "held": [held_json(held) for held in each.held],
    }


def _span_json(span: Span) -> dict[str, object]:
    return {"start": span.start, "end": span.end, "label": span.label or None, "typed": span.typed}


def _replaced_json(numbers: Replaced) -> dict[str, object]:
    return {
        "appear": list(numbers.appear),
        "disappear": list(numbers.disappear),
        "change": list(numbers.change),
    }
