"""Writing to a CalDAV account: each write carries its precondition, and is re-read after.

Servers rewrite what they are given and still answer with an ETag, so that only what is read after a write is known.
No status of a refusal proves that nothing happened: what is there now decides.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from connectors.caldav.faults import Answer, WriteVerdict, failure, write_verdict
from connectors.caldav.package import CutOff, Package
from connectors.caldav.reading import Reading
from connectors.caldav.settings import CalDavSettings
from connectors.caldav.versions import comes_back, etag_in
from connectors.errors import AnswerLost, BadItem, ConnectorError, RetryLater, Stale
from connectors.icalendar_draft import is_organised, patch_draft, render_draft
from connectors.records import CalendarItem, EventDraft

_TEXT = {"Content-Type": "text/calendar; charset=utf-8"}


class Writing:
    """The writing half of an account."""

    def __init__(
        self, settings: CalDavSettings, package: Package, reading: Reading, now: Callable[[], datetime]
    ) -> None:
        self._settings = settings
        self._package = package
        self._reading = reading
        self._now = now

    def create(self, calendar: str, href: str, draft: EventDraft) -> CalendarItem:
        """See `CalendarAccount.create`."""
        return self._create(calendar, href, render_draft(draft, now=self._now()).decode())

    def put_back(self, calendar: str, href: str, body: bytes, replacing: CalendarItem | None) -> CalendarItem:
        """See `CalendarAccount.put_back`."""
        self._undisturbing(CalendarItem(href, "", body))
        text = body.decode()
        return self._create(calendar, href, text) if replacing is None else self._replace(calendar, replacing, text)

    def _create(self, calendar: str, href: str, body: str) -> CalendarItem:
        conditional = self._settings.profile.create_condition
        if not conditional and self._reading.read(calendar, href) is not None:
            raise self._stale("Something is there already where an event was to be created.")
        answer, repeated = self._send("PUT", href, {**_TEXT, "If-None-Match": "*"}, body, again=conditional)
        verdict = write_verdict(answer)
        if verdict is not WriteVerdict.DONE:
            self._not_created(calendar, href, answer, repeated=repeated)
        return self._written(calendar, href)

    def update(self, calendar: str, item: CalendarItem, draft: EventDraft, *, notes: bool) -> CalendarItem:
        """See `CalendarAccount.update`."""
        patched = patch_draft(item.body, draft, now=self._now(), notes=notes, system=self._settings.name).decode()
        return self._replace(calendar, item, patched)

    def _replace(self, calendar: str, item: CalendarItem, body: str) -> CalendarItem:
        self._undisturbing(item)
        etag = self._etag_to_match(calendar, item)
        headers = {**_TEXT, **({"If-Match": etag} if etag else {})}
        answer, repeated = self._send("PUT", item.href, headers, body, again=bool(etag))
        if write_verdict(answer) is not WriteVerdict.DONE:
            self._not_updated(calendar, item, answer, repeated=repeated)
        return self._written(calendar, item.href)

    def delete(self, calendar: str, item: CalendarItem) -> None:
        """See `CalendarAccount.delete`."""
        self._undisturbing(item)
        try:
            etag = self._etag_to_match(calendar, item, look=not self._settings.profile.delete_condition)
        except _GoneError:
            return
        # A DELETE that is sent twice cannot remove anything else, as long as it says what it means to remove.
        answer, _ = self._send("DELETE", item.href, {"If-Match": etag} if etag else {}, "", again=bool(etag))
        verdict = write_verdict(answer)
        if verdict is WriteVerdict.DONE or not answer.found:
            return
        if verdict in (WriteVerdict.CONDITION_FAILED, WriteVerdict.REFUSED):
            if self._reading.read(calendar, item.href) is None:
                return
            if verdict is WriteVerdict.CONDITION_FAILED:
                raise self._stale("An event has changed since it was read: it was not removed.")
            raise self._refused(answer)
        raise self._lost_or_failed(answer, "removing an event")

    # --- before ----------------------------------------------------------------------------------------------

    def _undisturbing(self, item: CalendarItem) -> None:
        if self._settings.profile.sends_mail and is_organised(item.body):
            raise BadItem(
                "Somebody has invited people to a copy: changing or removing it would send them mail.",
                system=self._settings.name,
                remedy="Remove the invited people from the event, or remove the event, in the calendar itself.",
            )

    def _etag_to_match(self, calendar: str, item: CalendarItem, *, look: bool = False) -> str:
        """An ETag for If-Match; "" when the server gives none that may be used there (RFC 9110 section 13.1.1).

        Without one, or when `look` asks for it, the item is read now and has to be what it was. Raises `Stale`.
        """
        if _is_strong(item.version) and not look and not comes_back(item.version):
            return item.version
        current = self._reading.read(calendar, item.href)
        if current is None:
            raise _GoneError("An event is gone.", system=self._settings.name)
        if current.body != item.body:
            raise self._stale("An event has changed since it was read.")
        etag = etag_in(current.version)
        return etag if _is_strong(etag) else ""

    # --- sending ---------------------------------------------------------------------------------------------

    def _send(self, method: str, href: str, headers: dict[str, str], body: str, *, again: bool) -> tuple[Answer, bool]:
        """The answer, and whether it is the one to a repetition.

        A kept connection may have been closed just before: a write with a precondition is sent once more. One
        without is not, since the first may have been done.
        """
        try:
            return self._package.write(method, href, headers, body), False
        except CutOff:
            if not again:
                raise self._lost() from None
        try:
            return self._package.write(method, href, headers, body), True
        except (CutOff, RetryLater):
            raise self._lost() from None

    def _written(self, calendar: str, href: str) -> CalendarItem:
        try:
            item = self._reading.read(calendar, href)
        except RetryLater:
            item = None
        if item is None:
            raise self._lost()
        return item

    # --- after -----------------------------------------------------------------------------------------------

    def _not_created(self, calendar: str, href: str, answer: Answer, *, repeated: bool) -> None:
        verdict = write_verdict(answer)
        if verdict not in (WriteVerdict.CONDITION_FAILED, WriteVerdict.REFUSED):
            raise self._lost_or_failed(answer, "creating an event")
        there = self._reading.read(calendar, href) is not None
        if there and (repeated or verdict is WriteVerdict.REFUSED):
            raise self._lost()  # perhaps it is ours: whoever planned it reads and settles
        if there:
            raise self._stale("Something is there already where an event was to be created.")
        raise self._refused(answer)

    def _not_updated(self, calendar: str, item: CalendarItem, answer: Answer, *, repeated: bool) -> None:
        verdict = write_verdict(answer)
        if verdict not in (WriteVerdict.CONDITION_FAILED, WriteVerdict.REFUSED):
            raise self._lost_or_failed(answer, "changing an event")
        current = self._reading.read(calendar, item.href)
        if (
            current is not None
            and current.body == item.body
            and (etag_in(current.version) == etag_in(item.version) or not _is_strong(item.version))
        ):
            # Nothing has changed: it is the content that is not wanted, for which Xandikos says 412 too.
            raise self._refused(answer)
        if repeated or (current is not None and verdict is WriteVerdict.REFUSED):
            raise self._lost()
        raise self._stale("An event has changed since it was read: it was not written.")

    def _lost_or_failed(self, answer: Answer, what: str) -> ConnectorError:
        settings = self._settings
        if write_verdict(answer) is WriteVerdict.LOST:
            return self._lost()
        return failure(answer, what, system=settings.name, owned_by_it=settings.owned_by_it, now=self._now())

    def _lost(self) -> AnswerLost:
        return AnswerLost("The answer to a write was lost: it may have been done.", system=self._settings.name)

    def _stale(self, text: str) -> Stale:
        return Stale(text, system=self._settings.name)

    def _refused(self, answer: Answer) -> BadItem:
        return BadItem(
            f"The calendar server refuses an event ({answer.status}).",
            system=self._settings.name,
            remedy="Report it with the journal entry of this run: the same event would be refused again.",
        )


class _GoneError(Stale):
    """It is not there any more."""


def _is_strong(etag: str) -> bool:
    return len(etag) > 2 and etag.startswith('"') and etag.endswith('"')
