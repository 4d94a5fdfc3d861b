"""`seen-by`: a day of an agent as others see it. Its purpose is to show what the rules let out, so it shows titles of
copies where, and only where, a viewer would read them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from gateway.cli.exits import Exit
from gateway.cli.output import messages, moment, print_json, results, table
from gateway.cli.session import local, require_enrolled
from gateway.clock import SystemClock
from gateway.composition import engine_settings
from gateway.keys import load_keys
from gateway.rules.book import RuleBook
from gateway.rules.seeing import ColleagueView, SeenBlock, SharedEvent, as_colleague, as_usager
from gateway.store.store import Store
from gateway.sync.engine import plan_context
from gateway.sync.values import LinkedAgent

_TYPED = "(as a person typed it in RDV-Solidarités)"


def run(config: Path, viewer: str, agent_id: int, day: date | None, *, as_json: bool) -> Exit:
    """From the rules and what was last read; reaches no remote system. `viewer`: colleague or usager."""
    with local(config) as (settings, store):
        require_enrolled(store, [agent_id])
        view = store.agent_view(agent_id)
        context = plan_context(engine_settings(settings), load_keys(settings.gateway.keys), SystemClock().now())
        stale = _is_stale(store, view.agent, context.rulebook)
    shown = day or context.today(view.agent)
    if stale:
        messages().print("The rules ask about other titles or categories since the last sync: the next one reads anew.")
    if viewer == "usager":
        _usager(agent_id, shown, as_usager(view, context, shown), as_json=as_json)
        return Exit.FINE
    seen = as_colleague(view, context, shown)
    if as_json:
        print_json(_colleague_json(agent_id, shown, seen))
    else:
        _show_colleague(agent_id, shown, seen)
    return Exit.FINE


def _is_stale(store: Store, agent: LinkedAgent, book: RuleBook) -> bool:
    """Whether a calendar of the agent was read under rules that asked about other patterns."""
    states = [store.calendar_state(ref) for ref in agent.sources]
    return any(state is not None and state.patterns != book.patterns.digest for state in states)


def _show_colleague(agent_id: int, day: date, seen: ColleagueView) -> None:
    console = results()
    rows = [(moment(each.start), moment(each.end), _title(each)) for each in seen.rdv_solidarites]
    console.print(f"Agent {agent_id}, {day}, in RDV-Solidarités")
    console.print(table("", ("From", "To", "Title"), rows) if rows else "No block.")
    lines = [(moment(each.start), moment(each.end), *_texts(each)) for each in seen.calendar]
    console.print("In the shared calendar, of what the gateway writes there")
    console.print(table("", _SHARED_COLUMNS, lines) if lines else "Nothing.")
    messages().print("As a viewer without rights on private items. The agent's own events are not the gateway's.")


_SHARED_COLUMNS = ("From", "To", "Title", "Place", "Notes", "Link")


def _title(block: SeenBlock) -> str:
    return _TYPED if block.title is None else block.title


def _texts(event: SharedEvent) -> tuple[str, ...]:
    if event.private:
        return ("(busy)", "-", "-", "-")
    return tuple(text or "-" for text in (event.title, event.place, event.description, event.url))


def _colleague_json(agent_id: int, day: date, seen: ColleagueView) -> dict[str, object]:
    return {
        "viewer": "colleague",
        "agent": agent_id,
        "day": day,
        "rdv_solidarites": [
            {"start": each.start, "end": each.end, "title": each.title, "typed_there": each.title is None}
            for each in seen.rdv_solidarites
        ],
        "calendar": [_event_json(each) for each in seen.calendar],
    }


def _event_json(event: SharedEvent) -> dict[str, object]:
    texts: dict[str, object] = {}
    if not event.private:
        texts = {
            "title": event.title,
            "place": event.place,
            "description": event.description,
            "url": event.url,
        }
    return {
        "start": event.start,
        "end": event.end,
        "busy": event.busy,
        "only_busy": event.private,
        "rdv": event.rdv_id,
        "absence": event.absence_id,
        **texts,
    }


def _usager(agent_id: int, day: date, withheld: tuple[tuple[object, object], ...], *, as_json: bool) -> None:
    if as_json:
        document = [{"start": start, "end": end} for start, end in withheld]
        print_json({"viewer": "usager", "agent": agent_id, "day": day, "withheld": document})
        return
    rows = [(f"{start:%Y-%m-%d %H:%M}", f"{end:%Y-%m-%d %H:%M}") for start, end in withheld]
    results().print(f"Agent {agent_id}, {day}: time that is not offered")
    results().print(table("", ("From", "To"), rows) if rows else "None.")
    messages().print("A usager sees slots that are offered, and nothing of why others are not.")
