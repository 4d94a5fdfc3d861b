"""Safeguards switched off from outside, to prove that the simulation would see them fail. The product has no such
switch: its functions are wrapped here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SAFEGUARDS = ("intent", "precondition", "agreed", "marker")


@contextmanager
def without(safeguard: str | None) -> Iterator[dict[str, Any]]:
    """What `play` must be given, while the safeguard is off."""
    yield {}
