"""What outlives a process, as the connector asks for it; whoever puts the application together keeps it."""

from __future__ import annotations

from typing import Protocol


class ServerMemory(Protocol):
    """Texts about servers, by `host:port`. Thread-safe."""

    def load(self, host: str) -> str | None:
        """The text that was saved last."""

    def save(self, host: str, text: str) -> None:
        """Keep a text in place of the last one."""


class PasswordMemory(Protocol):
    """Whether a server refused the present password of one account. Thread-safe."""

    def was_refused(self) -> bool:
        """Whether it did, in this process or an earlier one, and was not asked to be tried again."""

    def note_refusal(self) -> None:
        """It was refused now."""

    def note_acceptance(self) -> None:
        """It was accepted now."""


class ForgetfulServers:
    """Keeps nothing."""

    def load(self, host: str) -> str | None:
        """Nothing."""
        _ = host
        return None

    def save(self, host: str, text: str) -> None:
        """Nothing is kept."""


class ForgetfulPassword:
    """Keeps nothing."""

    def was_refused(self) -> bool:
        """Unknown, so it is tried."""
        return False

    def note_refusal(self) -> None:
        """Nothing is kept."""

    def note_acceptance(self) -> None:
        """Nothing is kept."""
