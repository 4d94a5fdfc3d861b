"""An iCalendar stream (RFC 5545 section 3.4) taken apart into its components, and the proof that it is whole. Pure.

A download that broke off, or a page in place of a calendar, would look like a calendar that was emptied.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO


class NotACalendar(ValueError):
    """Something else came: a web page, a login form, nothing at all."""


class NotWhole(ValueError):
    """It begins as a calendar and is broken off or mixed up."""


@dataclass(frozen=True, slots=True)
class Component:
    """One component that stands directly in a VCALENDAR. `lines`: unfolded; what is nested in it is left out unless
    it is a VTIMEZONE: alarms mean nothing to who only reads."""

    name: str
    lines: tuple[bytes, ...] = field(repr=False)

    def value(self, name: bytes) -> bytes:
        """The value of the first property of that name; b"" without one. For values that hold no parameter in
        quotes before them."""
        return value_in(self.lines, name)

    def has(self, name: bytes) -> bool:
        """Whether it has a property of that name."""
        return any(name_of(line) == name for line in self.lines)


@dataclass(frozen=True, slots=True)
class CalendarText:
    """One VCALENDAR. `properties`: its own lines, unfolded."""

    properties: tuple[bytes, ...] = field(repr=False)
    components: tuple[Component, ...]

    def value(self, name: bytes) -> bytes:
        """The value of the first property of that name; b"" without one."""
        return value_in(self.properties, name)

    def named(self, name: str) -> Iterator[Component]:
        """Its components of that name."""
        return (component for component in self.components if component.name == name)


def name_of(line: bytes) -> bytes:
    """The property's name in capitals; b"" for a line that has none."""
    head, colon, _ = line.partition(b":")
    return head.partition(b";")[0].strip().upper() if colon else b""


def value_in(lines: tuple[bytes, ...], name: bytes) -> bytes:
    """The value of the first property of that name; b"" without one."""
    return next((line.partition(b":")[2].strip() for line in lines if name_of(line) == name), b"")


def calendars_in(body: bytes) -> tuple[CalendarText, ...]:
    """Every VCALENDAR of a stream, at least one. Raises `NotACalendar`, `NotWhole`."""
    reader = _Reader()
    for line in _logical_lines(body.removeprefix(b"\xef\xbb\xbf")):
        reader.take(line)
    return reader.finished()


class _Reader:
    def __init__(self) -> None:
        self._calendars: list[CalendarText] = []
        self._open: list[str] = []
        self._properties: list[bytes] = []
        self._components: list[Component] = []
        self._lines: list[bytes] = []

    def take(self, line: bytes) -> None:
        name = name_of(line)
        if name == b"BEGIN":
            self._begin(line)
        elif not self._open:
            self._foreign()
        elif name == b"END":
            self._end(line)
        elif len(self._open) == 1:
            self._properties.append(line)
        elif self._is_kept:
            self._lines.append(line)

    def finished(self) -> tuple[CalendarText, ...]:
        if self._open:
            raise NotWhole("it ends in the middle")
        if not self._calendars:
            raise NotACalendar("it is empty")
        return tuple(self._calendars)

    @property
    def _is_kept(self) -> bool:
        return len(self._open) == 2 or self._open[1] == "VTIMEZONE"

    def _begin(self, line: bytes) -> None:
        component = _component_name(line)
        if not self._open and component != "VCALENDAR":
            self._foreign()
        self._open.append(component)
        if len(self._open) > 2 and self._is_kept:
            self._lines.append(line)

    def _end(self, line: bytes) -> None:
        depth = len(self._open)
        if depth > 2 and self._is_kept:
            self._lines.append(line)
        component = self._open.pop()
        if component != _component_name(line):
            raise NotWhole("its BEGIN and END lines do not match")
        if depth == 2:
            self._components.append(Component(component, tuple(self._lines)))
            self._lines = []
        elif depth == 1:
            self._calendars.append(CalendarText(tuple(self._properties), tuple(self._components)))
            self._properties, self._components = [], []

    def _foreign(self) -> None:
        if self._calendars:
            raise NotWhole("something else follows it")
        raise NotACalendar("it begins with something else")


def _component_name(line: bytes) -> str:
    return line.partition(b":")[2].strip().upper().decode("ascii", "replace")


def _logical_lines(body: bytes) -> Iterator[bytes]:
    """Unfolded lines (RFC 5545 section 3.1), empty ones left out. In bytes: a fold may part the bytes of a sign."""
    pieces: list[bytes] = []
    for raw in BytesIO(body):
        line = raw.rstrip(b"\r\n")
        if line[:1] in (b" ", b"\t") and pieces:
            pieces.append(line[1:])
            continue
        if whole := b"".join(pieces).strip(b"\0\x1a \t"):
            yield whole
        pieces = [line]
    if whole := b"".join(pieces).strip(b"\0\x1a \t"):
        yield whole
