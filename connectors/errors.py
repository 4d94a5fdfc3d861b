"""One error tree for every connector, by what to do about an error, never by which library raised it.

Each connector has one classifier that turns its wire's failures into these. A message says what happened and
where; `remedy` says what to do; `addressee` says who can do it. None of them may carry a title, a place, a note,
a name, a token or a password.
"""

from __future__ import annotations

from enum import StrEnum


class Addressee(StrEnum):
    """Who can mend an error."""

    NOBODY = "nobody"  # it passes by itself
    AGENT = "agent"
    IT = "it"
    MAINTAINERS = "maintainers"


class ConnectorError(Exception):
    """Base of the tree. `system` names the remote as configured, e.g. "rdv_solidarites" or an account's name."""

    addressee: Addressee = Addressee.MAINTAINERS
    default_remedy: str = "Report it with the journal entry of this run."

    def __init__(self, message: str, *, system: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.system = system
        self.remedy = remedy or self.default_remedy


class RetryLater(ConnectorError):
    """Passing trouble: nothing was changed. Try again, not before `retry_after` seconds when it is given."""

    addressee = Addressee.NOBODY
    default_remedy = "Nothing: the next run tries again."

    def __init__(
        self, message: str, *, system: str, remedy: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, system=system, remedy=remedy)
        self.retry_after = retry_after


class AnswerLost(RetryLater):
    """A write was sent and no usable answer came: it may or may not have happened, or happen later.

    Never written again blindly: the open intent is settled by reading.
    """


class Stale(ConnectorError):
    """A precondition failed: the thing changed or is gone since it was read. Read again, plan again."""

    addressee = Addressee.NOBODY
    default_remedy = "Nothing: it is read and planned again."


class AgentMustAct(ConnectorError):
    """Only the agent can mend it (their own password, their own consent)."""

    addressee = Addressee.AGENT


class ITMustAct(ConnectorError):
    """Only IT can mend it (certificate, service account, configuration, address)."""

    addressee = Addressee.IT


class RightsMissing(ITMustAct):
    """The account is known but may not do this: 403, or a share that was withdrawn. Nothing is judged gone."""

    default_remedy = "Give the service account its rights back."


class BadItem(ConnectorError):
    """One item cannot be read, or the server refuses it. It is set aside and named; the rest goes on."""

    addressee = Addressee.NOBODY
    default_remedy = "Correct or remove this item at its source."


class OurBug(ConnectorError):
    """The remote says that our request makes no sense, or an invariant of ours broke."""
