"""The mapping file: which calendars are whose, as a person edits it. CSV (UTF-8, `;` or `,`) or JSON. Pure.

One bad line is set aside and named; the rest is read. What `write_csv` or `write_json` gives is read back equal.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from gateway.settings_problems import nearest

COLUMNS = (
    "agent",
    "email",
    "name",
    "account",
    "receives",
    "blocks",
    "zone",
    "organisation",
    "service",
    "wave",
    "state",
)
_OF_RULES = frozenset({"organisation", "service"})
HIGHEST_WAVE = 9999
_HIGHEST_ID = 2**62
BYTE_ORDER_MARK = "\ufeff"
_BETWEEN = "|"
_LARGEST = 20 * 1024 * 1024
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class RosterState(StrEnum):
    """How an agent stands, as the file says it. An agent without calendars is UNKNOWN."""

    UNKNOWN = ""
    MATCHED = "matched"
    FIRST_RUN = "first_run"
    LIVE = "live"
    PAUSED = "paused"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class RosterLine:
    """One agent. `agent_id` or `email` (the one of RDV-Solidarités) says who; `name` is for the reader only.

    `account`: as in `CalendarRef`, or a section's name; "" when nothing is known. `receives`, `blocks`: calendars by
    identity or name; empty: the account's only one, and the one that receives. `zone` "": the organisations'.
    `organisation`, `service`: ids, whose rules hold for the agent. `left_out`: of these two, what the file has no
    column for: it stays as it is.
    """

    agent_id: int | None
    email: str = ""
    name: str = ""
    account: str = ""
    receives: str = ""
    blocks: tuple[str, ...] = ()
    zone: str = ""
    organisation: int | None = None
    service: int | None = None
    wave: int | None = None
    state: RosterState = RosterState.UNKNOWN
    line: int = 0  # where it stands in the file: a line, or the rank of a JSON entry
    left_out: frozenset[str] = field(default=frozenset(), compare=False)


@dataclass(frozen=True, slots=True)
class LineFault:
    """A line that was set aside: where, what, what to do."""

    line: int
    what: str
    remedy: str


class UnreadableRoster(ValueError):
    """The file as a whole cannot be used. `remedy`: what to do."""

    def __init__(self, what: str, *, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class RosterFile:
    lines: tuple[RosterLine, ...]
    faults: tuple[LineFault, ...]


# --- writing -------------------------------------------------------------------------------------------------


def write_csv(lines: Iterable[RosterLine], *, separator: str = ";") -> str:
    """With `;`, which French spreadsheets expect. `BYTE_ORDER_MARK` before it tells them that it is UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for line in lines:
        writer.writerow([_guarded(cell) for cell in _cells(line)])
    return text.getvalue()


def write_json(lines: Iterable[RosterLine]) -> str:
    """`{"agents": […]}`, one object for each agent, with the names of the columns."""
    return json.dumps({"agents": [roster_json(line) for line in lines]}, ensure_ascii=False, indent=2) + "\n"


def roster_json(line: RosterLine) -> dict[str, object]:
    """One agent as the JSON form has it."""
    return {
        "agent": line.agent_id,
        "email": line.email,
        "name": line.name,
        "account": line.account,
        "receives": line.receives,
        "blocks": list(line.blocks),
        "zone": line.zone,
        "organisation": line.organisation,
        "service": line.service,
        "wave": line.wave,
        "state": line.state.value,
    }


def _cells(line: RosterLine) -> tuple[str, ...]:
    blocks = f" {_BETWEEN} ".join(line.blocks)
    agent, organisation, service, wave = (
        "" if number is None else str(number) for number in (line.agent_id, line.organisation, line.service, line.wave)
    )
    who, places = (agent, line.email, line.name), (line.account, line.receives, blocks, line.zone)
    return (*who, *places, organisation, service, wave, line.state.value)


def _guarded(cell: str) -> str:
    """Spreadsheets compute what begins like a formula: names come from whoever typed them."""
    return f"'{cell}" if cell.startswith((*_FORMULA, "'")) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith((*_FORMULA, "'")) else cell


# --- reading -------------------------------------------------------------------------------------------------


def read_roster(data: bytes) -> RosterFile:
    """Either form, told by its first sign. Raises `UnreadableRoster`."""
    if len(data) > _LARGEST:
        raise UnreadableRoster("The file is larger than 20 MB.", remedy="Name the mapping file itself.")
    is_json = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
    entries, faults = _json_entries(data) if is_json else _csv_entries(data)
    lines: list[RosterLine] = []
    for number, entry in entries:
        try:
            lines.append(_line(number, entry))
        except _BadCellError as bad:
            faults.append(LineFault(number, str(bad), bad.remedy))
    return RosterFile(tuple(lines), tuple(sorted(faults, key=lambda fault: fault.line)))


class _BadCellError(ValueError):
    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


def _csv_entries(data: bytes) -> tuple[list[tuple[int, Mapping[str, Any]]], list[LineFault]]:
    faults: list[LineFault] = []
    texts = _decoded(data, faults)
    header = next((text for text in texts if text.strip()), "")
    separator = ";" if header.count(";") >= header.count(",") else ","
    rows = _rows(texts, separator, faults)
    _, names = next(rows, (0, []))
    columns = _columns(names)
    entries: list[tuple[int, Mapping[str, Any]]] = []
    for number, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(columns):
            what = f"it has {len(cells)} cells for {len(columns)} columns"
            faults.append(LineFault(number, what, f'Put a cell that holds "{separator}" between double quotes.'))
            continue
        entry: dict[str, Any] = dict(zip(columns, (_unguarded(cell.strip()) for cell in cells), strict=False))
        entry["blocks"] = [part for each in str(entry.get("blocks", "")).split(_BETWEEN) if (part := each.strip())]
        entries.append((number, entry))
    return entries, faults


def _decoded(data: bytes, faults: list[LineFault]) -> list[str]:
    texts: list[str] = []
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(keepends=True), start=1):
        try:
            texts.append(raw.decode())
        except UnicodeDecodeError:
            faults.append(LineFault(number, "it is not UTF-8", "Save the file as CSV UTF-8."))
            texts.append("\n")  # keeps the numbers of those that follow
    return texts


def _rows(texts: Sequence[str], separator: str, faults: list[LineFault]) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(texts, delimiter=separator, strict=True)
    met_header = False
    while True:
        first = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            faults.append(LineFault(first, "its double quotes do not match", "Close each cell that opens with one."))
            continue
        if cells or met_header:
            met_header = True
            yield first, cells


def _columns(names: Sequence[str]) -> list[str]:
    found = [name.strip().casefold() for name in names]
    for name in found:
        if name not in COLUMNS:
            known = ", ".join(COLUMNS)
            raise UnreadableRoster(
                f"The first line names a column {name or '(empty)'} that there is not{nearest(name, COLUMNS)}.",
                remedy=f"Begin the file with the names of its columns, among: {known}.",
            )
    if len(set(found)) != len(found):
        raise UnreadableRoster("The first line names a column twice.", remedy="Keep one of them.")
    if not {"agent", "email"} & set(found):
        raise UnreadableRoster(
            "No column says who the agents are.", remedy="Begin the file with a column agent (ids) or email, or both."
        )
    return found


def _json_entries(data: bytes) -> tuple[list[tuple[int, Mapping[str, Any]]], list[LineFault]]:
    try:
        document = json.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise UnreadableRoster(f"The file is not JSON{where}.", remedy="Correct it there.") from None
    listed = document.get("agents") if isinstance(document, dict) else document
    if not isinstance(listed, list):
        raise UnreadableRoster("The file holds no list of agents.", remedy='Give {"agents": […]}.')
    entries: list[tuple[int, Mapping[str, Any]]] = []
    faults: list[LineFault] = []
    for number, entry in enumerate(listed, start=1):
        if not isinstance(entry, dict):
            faults.append(LineFault(number, "it is not an object", "Give one object for each agent."))
        elif unknown := sorted(set(entry) - set(COLUMNS)):
            what = f"it has a key {unknown[0]} that there is not{nearest(unknown[0], COLUMNS)}"
            faults.append(LineFault(number, what, f"The keys are: {', '.join(COLUMNS)}."))
        else:
            entries.append((number, entry))
    return entries, faults


def _line(number: int, entry: Mapping[str, Any]) -> RosterLine:
    agent_id = _number(entry, "agent", highest=_HIGHEST_ID)
    email = _text(entry, "email")
    if agent_id is None and not email:
        raise _BadCellError("it says neither agent nor email", "Give the agent's id or e-mail in RDV-Solidarités.")
    account, receives, blocks = _text(entry, "account"), _text(entry, "receives"), _blocks(entry)
    if not account and (receives or blocks):
        raise _BadCellError("it names a calendar and no account", "Give the account that the calendar is in.")
    return RosterLine(
        agent_id=agent_id,
        email=email,
        name=_text(entry, "name"),
        account=account,
        receives=receives,
        blocks=blocks,
        zone=_zone(entry),
        organisation=_number(entry, "organisation", highest=_HIGHEST_ID),
        service=_number(entry, "service", highest=_HIGHEST_ID),
        wave=_number(entry, "wave", highest=HIGHEST_WAVE),
        state=_state(entry),
        line=number,
        left_out=_OF_RULES - entry.keys(),
    )


def _text(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _BadCellError(f"{name} is not a text", "Put it between double quotes.")
    if not value.isprintable():
        raise _BadCellError(f"{name} holds a sign that cannot be printed", "Type it again.")
    return value.strip()


def _number(entry: Mapping[str, Any], name: str, *, highest: int) -> int | None:
    value = entry.get(name)
    if value is None or value == "":
        return None
    text = value if isinstance(value, str) else str(value) if type(value) is int else ""
    if not (text.isascii() and text.isdigit() and len(text) < 20 and 1 <= int(text) <= highest):
        raise _BadCellError(f"{name} is not a whole number from 1", "Correct it, or leave it empty.")
    return int(text)


def _blocks(entry: Mapping[str, Any]) -> tuple[str, ...]:
    value = entry.get("blocks") or []
    if not isinstance(value, list) or not all(isinstance(each, str) and each.isprintable() for each in value):
        raise _BadCellError("blocks is not a list of calendars", "Give their paths or names.")
    return tuple(dict.fromkeys(each.strip() for each in value if each.strip()))


def _zone(entry: Mapping[str, Any]) -> str:
    name = _text(entry, "zone")
    if name and name not in available_timezones():
        hint = nearest(name, available_timezones())
        raise _BadCellError(f"zone is not an IANA time zone{hint}", "Give one such as Europe/Paris, or leave it empty.")
    return ZoneInfo(name).key if name else ""


def _state(entry: Mapping[str, Any]) -> RosterState:
    name = _text(entry, "state").casefold()
    if name not in set(RosterState):
        known = ", ".join(state.value for state in RosterState if state.value)
        raise _BadCellError(f"there is no state {name}{nearest(name, set(RosterState))}", f"Empty, or one of: {known}.")
    return RosterState(name)
