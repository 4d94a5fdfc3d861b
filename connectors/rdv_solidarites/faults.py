"""The classifier: what an answer, or the lack of one, means for each kind of call. Pure.

The two rules behind it: a 429 or a refusal by status was not executed; a write that left this machine and got no
answer of the API itself may have been executed, or may be executed later.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any

import httpx2

from connectors.errors import (
    AnswerLost,
    BadItem,
    ConnectorError,
    ITMustAct,
    OurBug,
    RetryLater,
    RightsMissing,
    Stale,
)
from connectors.rdv_solidarites.answers import Answer

SYSTEM = "rdv_solidarites"

_CODE = re.compile(r"[a-z][a-z0-9_]{0,40}")


class Call(Enum):
    """Kinds of call that differ in what a failure means."""

    LIST = "list"
    SHOW = "show"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    TOKEN = "token"  # noqa: S105 - signing in or refreshing; not a secret

    @property
    def writes(self) -> bool:
        """Whether executing it twice, or not knowing, matters. A token asked for twice does no harm."""
        return self in (Call.CREATE, Call.UPDATE, Call.DELETE)


def no_answer(error: httpx2.HTTPError, call: Call, what: str) -> ConnectorError:
    """What a transport failure means that neither proxy nor certificates explain (`connectors.network_faults`).

    `what` names method and path, never a parameter's value.
    """
    kind = type(error).__name__
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout):
        return RetryLater(f"{what}: not connected ({kind}).", system=SYSTEM)
    if isinstance(error, httpx2.LocalProtocolError | httpx2.UnsupportedProtocol):
        return OurBug(f"{what}: the request could not be written ({kind}).", system=SYSTEM)
    return _unusable(f"{what}: no whole answer ({kind}).", call)


def not_the_api(answer: Answer, call: Call, what: str) -> ConnectorError:
    """A success that cannot be what the API says: an HTML page, a body cut short, a missing record."""
    return _unusable(f"{what}: {answer.status} with a body that is not the API's.", call, answer.retry_after)


def failure(answer: Answer, call: Call, what: str) -> ConnectorError:
    """What an answer that is no success means."""
    message = f"{what}: {answer.status}"
    if answer.status in _BY_STATUS:
        return _BY_STATUS[answer.status](answer, call, message)
    if 300 <= answer.status < 400:
        return _redirected(answer, message)
    if answer.status >= 500:
        return _unusable(f"{message}.", call, answer.retry_after)
    return OurBug(f"{message}: the server cannot make sense of this request.", system=SYSTEM)


def proves_absence(answer: Answer) -> bool:
    """Whether a 404 is the API's own. The 404 page of a proxy or of a maintenance screen proves nothing gone."""
    return (
        answer.status == 404
        and answer.document is not None
        and ("not_found" in answer.document or "errors" in answer.document)
    )


def _unusable(message: str, call: Call, retry_after: float | None = None) -> RetryLater:
    kind = AnswerLost if call.writes else RetryLater
    return kind(message, system=SYSTEM, retry_after=retry_after)


def _redirected(answer: Answer, message: str) -> ITMustAct:
    target = answer.redirect_host or "an unnamed address"
    return ITMustAct(
        f"{message}, redirected to {target}.",
        system=SYSTEM,
        remedy=f"Configure the address that answers itself; if {target} is it, use that one "
        "(for example https://www.rdv-solidarites.fr, with www).",
    )


def _token_refused(_answer: Answer, _call: Call, message: str) -> ConnectorError:
    return ITMustAct(
        f"{message}: the token is refused although it is new.",
        system=SYSTEM,
        remedy="See that no other program signs in with this account (each sign-in ends the previous one), "
        "and that the account may use the API.",
    )


def _forbidden(answer: Answer, _call: Call, message: str) -> ConnectorError:
    if answer.document is not None:
        return RightsMissing(f"{message}, the account may not do this.", system=SYSTEM)
    return RightsMissing(
        f"{message} with a body that is not the API's.",
        system=SYSTEM,
        remedy="A proxy or a firewall seems to refuse: let this machine reach the server.",
    )


def _not_found(answer: Answer, call: Call, message: str) -> ConnectorError:
    if call is Call.TOKEN or (call is Call.LIST and not proves_absence(answer)):
        return ITMustAct(
            f"{message}: nothing answers at this address.",
            system=SYSTEM,
            remedy="Check the address in the configuration, and that this instance offers this way of signing in.",
        )
    if not proves_absence(answer):
        return _unusable(f"{message} with a body that is not the API's.", call)
    if call is Call.CREATE:
        return BadItem(f"{message}, the agent is unknown there.", system=SYSTEM)
    if call is Call.LIST:
        return RightsMissing(f"{message}, not visible to the account.", system=SYSTEM)
    return Stale(f"{message}, gone.", system=SYSTEM)


def _proxy_wants_credentials(_answer: Answer, _call: Call, message: str) -> ConnectorError:
    return ITMustAct(
        f"{message}: the proxy wants credentials.", system=SYSTEM, remedy="Configure the proxy's credentials."
    )


def _not_received(_answer: Answer, _call: Call, message: str) -> ConnectorError:
    return RetryLater(f"{message}: the request was not received whole.", system=SYSTEM)


def _refused(answer: Answer, call: Call, message: str) -> ConnectorError:
    if not call.writes:
        return OurBug(f"{message}: the server cannot make sense of this request.", system=SYSTEM)
    codes = ", ".join(_refusal_codes(answer.document)) or "no code given"
    return BadItem(f"{message}, refused: {codes}.", system=SYSTEM)


def _throttled(answer: Answer, _call: Call, message: str) -> ConnectorError:
    return RetryLater(f"{message}, too many requests.", system=SYSTEM, retry_after=answer.retry_after)


_BY_STATUS: dict[int, Callable[[Answer, Call, str], ConnectorError]] = {
    401: _token_refused,
    403: _forbidden,
    404: _not_found,
    407: _proxy_wants_credentials,
    408: _not_received,
    422: _refused,
    429: _throttled,
}


def _refusal_codes(document: Mapping[str, Any] | None) -> Iterator[str]:
    """`attribute: code` of each refusal. Values and sentences are left out: they may quote a title."""
    errors = (document or {}).get("errors")
    if not isinstance(errors, dict):
        return
    for attribute, details in errors.items():
        for detail in details if isinstance(details, list) else ():
            code = detail.get("error") if isinstance(detail, dict) else None
            if _CODE.fullmatch(str(attribute)) and isinstance(code, str) and _CODE.fullmatch(code):
                yield f"{attribute}: {code}"
