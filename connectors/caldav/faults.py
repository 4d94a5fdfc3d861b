"""What an answer of a CalDAV server means for whoever asked: the one place that judges statuses. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto

from connectors.caldav.dav_xml import CALDAV, DAV, error_elements
from connectors.errors import AgentMustAct, ConnectorError, ITMustAct, OurBug, RetryLater, RightsMissing
from connectors.retry_after import retry_after_seconds

_QUOTA = frozenset({f"{DAV}quota-not-exceeded", f"{DAV}sufficient-disk-space"})


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. `headers`: names in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)

    @property
    def found(self) -> bool:
        """False when the resource is not there."""
        return self.status not in (404, 410)


class WriteVerdict(Enum):
    """What became of a PUT or DELETE."""

    DONE = auto()
    CONDITION_FAILED = auto()  # it changed, or is gone, or something is there already: look
    REFUSED = auto()  # perhaps this item, perhaps its calendar is gone: look
    LOST = auto()  # it may have happened
    FAILED = auto()  # it did not happen, for a reason that `failure` tells


def write_verdict(answer: Answer) -> WriteVerdict:
    """Judge the answer to a PUT or DELETE. What is to be looked at next is the caller's matter."""
    status = answer.status
    if status in (200, 201, 204):
        return WriteVerdict.DONE
    elements = error_elements(answer.body)
    # Servers refuse one bad item as 400, 403, 404, 409, 412, 413, 415, 422 or 500: what tells it from the same
    # status for another reason is a CalDAV precondition, or that the calendar still answers.
    about_item = any(element.startswith(CALDAV) for element in elements)
    if status in (409, 412) and not about_item:
        return WriteVerdict.CONDITION_FAILED
    if elements & _QUOTA or (status == 403 and not about_item):
        return WriteVerdict.FAILED
    if status in (400, 403, 404, 405, 409, 410, 412, 413, 415, 422, 500):
        return WriteVerdict.REFUSED
    if status in (401, 423, 429, 507) or (status == 503 and "retry-after" in answer.headers) or 300 <= status < 500:
        return WriteVerdict.FAILED
    return WriteVerdict.LOST


def failure(answer: Answer, what: str, *, system: str, owned_by_it: bool, now: datetime) -> ConnectorError:
    """The error for an answer that is not the hoped-for one. `what`: what was tried, e.g. "reading a calendar"."""
    status = answer.status
    said = f"{what[:1].upper()}{what[1:]}: {_words(answer)} ({status})."
    if status == 401:
        return wrong_password(system=system, owned_by_it=owned_by_it)
    remedy = _configuration_remedy(answer)
    if remedy is not None:
        return ITMustAct(said, system=system, remedy=remedy)
    if status == 403:
        return RightsMissing(said, system=system)
    if status in (408, 423, 425, 429) or status >= 500:
        return RetryLater(
            said, system=system, retry_after=retry_after_seconds(answer.headers.get("retry-after"), now=now)
        )
    return OurBug(said, system=system)


def _words(answer: Answer) -> str:
    status = answer.status
    if status == 403:
        return "the calendar server does not let this account do that"
    if not answer.found:
        return "the calendar server does not find it"
    if 300 <= status < 400:
        return "the calendar server points to another address"
    if status in (429, 503):
        return "the calendar server has too much to do"
    if status >= 500:
        return "the calendar server is in trouble"
    return "the calendar server gave an answer of no use"


def _configuration_remedy(answer: Answer) -> str | None:
    status = answer.status
    if status == 507 or error_elements(answer.body) & _QUOTA:
        return "The storage of this calendar account is full: make room."
    if not answer.found:
        return "The calendar was moved or deleted: correct the configuration. Nothing was removed."
    if 300 <= status < 400:
        return "Configure the address that the server points to."
    if 200 <= status < 300 or status in (405, 501):
        return "Check the account's url and home: they must lead to the calendars, past any login page."
    return None


def wrong_password(*, system: str, owned_by_it: bool) -> ConnectorError:
    """The server does not take the credentials."""
    said = "The calendar server does not accept the user name and password, which are not tried again."
    if owned_by_it:
        remedy = "Give the account its right password. If it is right: rdv-gateway check --retry"
        return ITMustAct(said, system=system, remedy=remedy)
    return AgentMustAct(said, system=system, remedy="Enter the calendar's password again.")
