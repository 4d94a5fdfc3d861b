"""The classifier: what an answer to the request for a published calendar means, and who can mend it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from connectors.errors import AgentMustAct, ConnectorError, ITMustAct, RetryLater
from connectors.ics.settings import IcsSettings
from connectors.retry_after import retry_after_seconds

READ_ONLY = "A calendar that is subscribed to by a link is only read: nothing can be written to it."
_AGAIN = "Publish the calendar again, and replace the link. Nothing was removed meanwhile."
_LINK_REFUSED = {
    400: ("the server can make nothing of this link", "Copy the whole link again. Nothing was removed meanwhile."),
    401: ("the server wants a password for it", f"Only links without a password can be used. {_AGAIN}"),
    403: ("the server does not let anybody have it: publishing was ended or forbidden", _AGAIN),
    404: ("the server does not find it: the link was renewed, or the calendar is no longer published", _AGAIN),
    410: ("it was withdrawn for good", _AGAIN),
}
_LATER = frozenset({408, 421, 425, 429})


@dataclass(frozen=True, slots=True)
class Answer:
    """Names of headers are in lower case. `body`: decompressed."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


def failure(answer: Answer, settings: IcsSettings, now: datetime) -> ConnectorError:
    """The error for a status that is not the hoped-for one. `now`: an instant."""
    status = answer.status
    if status in _LINK_REFUSED:
        said, remedy = _LINK_REFUSED[status]
        return owner_must_act(settings, f"The published calendar cannot be read: {said} ({status}).", remedy)
    if status in _LATER or status >= 500:
        return RetryLater(
            f"The server of the published calendar is in trouble or has too much to do ({status}).",
            system=settings.name,
            retry_after=retry_after_seconds(answer.headers.get("retry-after"), now=now),
        )
    return owner_must_act(
        settings, f"The published calendar cannot be read: an answer of no use ({status}).", f"See the link. {_AGAIN}"
    )


def owner_must_act(settings: IcsSettings, message: str, remedy: str) -> ConnectorError:
    """The error for whoever gave the link."""
    kind = ITMustAct if settings.owned_by_it else AgentMustAct
    return kind(message, system=settings.name, remedy=remedy)


def not_a_calendar(settings: IcsSettings) -> ConnectorError:
    """Something else than a calendar came with 200: usually a login page."""
    return owner_must_act(
        settings,
        "What answers under the link is no calendar (a web page, or nothing at all).",
        f"Open the link in a browser where nobody is signed in: it must give an .ics file. {_AGAIN}",
    )


def not_whole(settings: IcsSettings, reason: str) -> ConnectorError:
    """The file was broken off."""
    return RetryLater(
        f"The published calendar did not come whole ({reason}).",
        system=settings.name,
        remedy="Nothing: the next run tries again, and nothing was removed. If it lasts, ask those who run the server.",
    )


def too_large(settings: IcsSettings) -> ConnectorError:
    """The file is longer than allowed; the rest of it was not read."""
    return owner_must_act(
        settings,
        f"The published calendar is larger than {settings.size_limit:,} bytes; it was not read.",
        "Publish a shorter period (for example three months), or without details.",
    )


def too_many_events(settings: IcsSettings) -> ConnectorError:
    """More events than allowed."""
    return owner_must_act(
        settings,
        f"The published calendar holds more than {settings.event_limit:,} events; it was not read.",
        "Publish a shorter period (for example three months).",
    )


def too_slow(settings: IcsSettings) -> ConnectorError:
    """Something came all the time, and did not end."""
    return RetryLater(
        f"The published calendar did not come within {settings.answer_limit:g} seconds.",
        system=settings.name,
        remedy="Nothing: the next run tries again. If it lasts, publish a shorter period, or raise answer_limit.",
    )


def only_free_busy(settings: IcsSettings) -> ConnectorError:
    """A VFREEBUSY and no event."""
    return owner_must_act(
        settings,
        "The link gives free/busy times (VFREEBUSY), which cannot be followed from one reading to the next.",
        "Publish the calendar itself; « availability only » is enough (Outlook then gives events titled Busy).",
    )


def wrong_encoding(settings: IcsSettings) -> ConnectorError:
    """The body is compressed in a way that was not asked for, or damaged."""
    return not_whole(settings, "its compression cannot be read")
