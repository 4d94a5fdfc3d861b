"""What may be wrong with the database, by what to do about it."""

from __future__ import annotations

from connectors.errors import ITMustAct, RetryLater

SYSTEM = "database"


class UnmigratedDatabase(ITMustAct):
    """The database's schema is not the one this version works with."""

    default_remedy = "Run `rdv-gateway db upgrade`."

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message, system=SYSTEM, remedy=remedy)


class ForeignDatabase(ITMustAct):
    """The database belongs to another instance than the key file."""

    default_remedy = "Name the key file that was made with this database."

    def __init__(self, message: str) -> None:
        super().__init__(message, system=SYSTEM)


class AnotherSync(RetryLater):
    """Another process syncs on this database."""

    default_remedy = "Nothing if the service runs: it does the work. Else wait for the other command to end."

    def __init__(self, message: str) -> None:
        super().__init__(message, system=SYSTEM)


class Unreachable(RetryLater):
    """The database's server does not answer, or the connection to it was lost."""

    default_remedy = "Nothing if the server restarts: the next run tries again. Else start it, or mend the network."

    def __init__(self, message: str) -> None:
        super().__init__(message, system=SYSTEM)
