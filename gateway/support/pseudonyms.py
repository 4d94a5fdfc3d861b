"""Names for persons, hosts and accounts that tell nothing, and stay the same within one bundle."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

_LENGTH = 10


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """`key`: of the instance, never in the bundle. `salt`: of the bundle, in it: who has the keys can tell again who is
    meant (`whose`), nobody else can; and two bundles cannot be joined by their names."""

    key: bytes = field(repr=False)
    salt: bytes

    def of(self, kind: str, value: object) -> str:
        """Such as `agent-3f9a1c0b2d`."""
        text = f"{kind}\0{value}".encode()
        return f"{kind}-{hmac.new(self.key, self.salt + text, hashlib.sha256).hexdigest()[:_LENGTH]}"

    def whose(self, name: str, values: tuple[object, ...]) -> object | None:
        """Which of these values bears this name."""
        kind = name.rpartition("-")[0]
        return next((value for value in values if self.of(kind, value) == name), None)
