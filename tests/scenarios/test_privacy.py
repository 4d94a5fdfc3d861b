"""Nothing private leaves: what an event says reaches neither RDV-Solidarités, nor the database, nor a log."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import structlog

from gateway import logs
from gateway.store.store import Store
from gateway.watching.routes import exposition
from tests.scenarios.departement import Departement
from tests.scenarios.person import Person, hours
from tests.scenarios.small_departement import USAGER
from tests.servers.counting_proxy import CountingProxy, Cut

_TITLE, _PLACE, _NOTES, _GUEST = "Psychiatre-Zyx", "Impasse-Qwv", "Notes-Jkl", "invite-mnb"
_RETITLED, _CATEGORY = "Retitre-Pqr", "Maladie-Hgt"
_PRIVATE = (_TITLE, _PLACE, _NOTES, _GUEST, _RETITLED, _CATEGORY)
# Rules that ask about the very words: what they make of the answer may be seen, the words may not.
_ASKING: dict[str, Any] = {
    "blocks": {
        "labels": {_CATEGORY: "En formation"},
        "always_titles": [f"{_TITLE}*"],
        "never_titles": [f"*{_NOTES}*"],
        "all_day": "out_of_office",
        "all_day_categories": [_CATEGORY],
        "minimum_minutes": 10,
    }
}
_USAGER = (*USAGER.split(), "3 rue des Secrets", "situation difficile")


@pytest.fixture
def chatty_logs() -> Iterator[StringIO]:
    """Our own logging at its most talkative. Not on `capsys`: what that opens for fixtures is closed for the test."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    logs.configure("debug", json=True)
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    written = StringIO()
    handler.setStream(written)
    yield written
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def watched(departement: Departement) -> Iterator[CountingProxy]:
    """Sees every byte that is sent to RDV-Solidarités."""
    with CountingProxy(departement.sandbox.url) as proxy:
        departement.rdv_solidarites_url = proxy.url.rstrip("/")
        departement.stop()
        yield proxy


def _private_lines() -> tuple[str, ...]:
    return (
        f"LOCATION:{_PLACE}",
        f"DESCRIPTION:{_NOTES}",
        "CLASS:PRIVATE",
        "ORGANIZER:mailto:chef@dept.example",
        f"ATTENDEE;CN={_GUEST}:mailto:{_GUEST}@ailleurs.example",
        f"CATEGORIES:{_CATEGORY}",
    )


def _eventful(departement: Departement, agent: Person) -> None:
    """All that writes, fails, holds, conflicts and is set aside, with private events about."""
    events = [agent.types_event(_TITLE, *hours(departement.at(day, 9)), *_private_lines()) for day in range(1, 14)]
    agent.types_event(_TITLE, departement.day(20), departement.day(22), "RRULE:FREQ=WEEKLY;COUNT=3", *_private_lines())
    broken = agent.file(events[0]).decode().replace("Europe/Paris", "Atlantis/Capitale").replace("+0100", "+0137")
    agent.files(broken.replace("UID:", "UID:autre-"))
    departement.absence(agent, "Absence publique", *hours(departement.at(1, 15)))
    rdv = departement.rdv(departement.at(2, 15), agent)
    departement.goes_live()
    for href, event in agent.ours().items():
        agent.writes(href, summary=_RETITLED, location=_PLACE, description=_NOTES)
        assert event
    departement.settled()
    agent.moves(events[0], *hours(departement.at(1, 11)))
    departement.state.absences.delete(agent.absence_at(departement.at(2, 9)))
    departement.state.rdvs.move(rdv, departement.at(2, 16))
    departement.door.when("PUT", Cut(forward=True))
    departement.faults.add("status", method="PATCH", path=r"/api/v1/absences/\d+", status=500, body="html")
    departement.sync()
    for event_href in events[3:]:
        agent.deletes(event_href)
    departement.settled()
    departement.approves()
    departement.settled()


def _stored(departement: Departement) -> bytes:
    """All of the database."""
    content = departement.database.content()
    assert departement.people[0].login.encode() in content  # what is not encrypted would be found
    return content


def _found_in(content: bytes, words: tuple[str, ...]) -> list[str]:
    return [word for word in words if word.encode() in content]


@pytest.mark.parametrize("rules", [{}, _ASKING], ids=["no rules", "rules that ask"])
def test_what_an_event_says_is_in_no_request_no_state_no_database_and_no_log(
    departement: Departement,
    agent: Person,
    watched: CountingProxy,
    chatty_logs: StringIO,
    rules: dict[str, Any],
) -> None:
    departement.rules = rules
    departement.stop()
    _eventful(departement, agent)
    sent = b"".join(seen.path.encode() + repr(seen.headers).encode() + seen.body for seen in watched.seen)
    assert sent.count(b"agenda") >= 13  # the blocks' own title: these are the requests that write
    assert (b"En formation" in sent) is bool(rules)
    assert _found_in(sent, _PRIVATE) == []
    assert _found_in(repr(departement.state.contents()).encode(), _PRIVATE) == []
    assert _found_in(_stored(departement), _PRIVATE) == []
    report = departement.sync()
    told = repr((report, departement.store.journal(limit=1000), departement.store.holds(), departement.store.runs()))
    assert _found_in(told.encode(), _PRIVATE) == []
    application = departement.application
    metrics = exposition(application.watch.metrics.registry)
    assert b"rdv_gateway_operations_total" in metrics
    assert _found_in(metrics, _PRIVATE) == []
    logged = chatty_logs.getvalue()
    lines = [json.loads(line) for line in logged.splitlines()]
    assert "run finished" in {line["event"] for line in lines}
    steps = [line for line in lines if line["event"] == "step"]
    assert {line["step"] for line in steps} >= {"look_at_home", "read_calendar", "read_rdvs", "plan", "write"}
    assert all(line["run_id"] for line in steps)
    assert all("agent" in line for line in steps if line["step"] in {"plan", "write"})
    assert _found_in(logged.encode(), (*_PRIVATE, *_secrets(departement, agent))) == []


@pytest.mark.usefixtures("watched")
def test_a_usager_who_was_not_chosen_is_in_no_calendar_no_database_and_no_log(
    departement: Departement, agent: Person, chatty_logs: StringIO
) -> None:
    departement.copies = {"label": "motif", "motifs": "all", "show_place": True}
    departement.stop()
    _eventful(departement, agent)
    departement.rdv(departement.at(5, 15), agent, context="situation difficile")
    departement.settled()
    assert any("Consultation" in str(event["SUMMARY"]) for event in agent.ours().values())
    assert _found_in(repr(agent.files_by_href()).encode(), _USAGER) == []
    assert _found_in(_stored(departement), _USAGER) == []
    assert _found_in(repr(_decrypted(departement.store, agent)).encode(), _USAGER) == []
    assert "run finished" in chatty_logs.getvalue()
    assert _found_in(chatty_logs.getvalue().encode(), _USAGER) == []


def test_a_usager_who_was_chosen_is_in_the_calendar_and_in_clear_nowhere_else(
    departement: Departement, agent: Person, chatty_logs: StringIO
) -> None:
    departement.copies = {"label": "motif", "motifs": "all", "usager_fields": ["first_name", "last_name"]}
    departement.stop()
    departement.rdv(departement.at(1, 9), agent)
    report = departement.settled()[0]
    name = USAGER.split()[1]
    ((href, event),) = agent.ours().items()
    assert name in str(event["SUMMARY"])
    agent.deletes(href)
    departement.settled()
    assert _found_in(_stored(departement), (name,)) == []
    assert _found_in(repr(report).encode(), (name,)) == []
    assert "run finished" in chatty_logs.getvalue()
    assert _found_in(chatty_logs.getvalue().encode(), (name,)) == []


def test_neither_password_nor_token_lies_in_the_database(departement: Departement, agent: Person) -> None:
    departement.settled()
    assert _found_in(_stored(departement), _secrets(departement, agent)) == []


def _secrets(departement: Departement, agent: Person) -> tuple[str, ...]:
    token = departement.store.secret("rdv_solidarites.token")
    assert token
    secrets = (agent.password, *(part for part in token.decode().split('"') if len(part) > 15))
    assert len(secrets) > 1
    return secrets


def _decrypted(store: Store, agent: Person) -> list[object]:
    """What the database holds of them once it is decrypted, fields hidden from `repr` included."""
    view = store.agent_view(agent.id)
    rdvs = [[getattr(seen.rdv, name) for name in type(seen.rdv).__dataclass_fields__] for seen in view.rdvs]
    participations = [each.usager for seen in view.rdvs for each in seen.rdv.participations]
    images = [row.entry.before for row in store.journal(limit=1000, with_content=True)]
    return [rdvs, participations, images]
