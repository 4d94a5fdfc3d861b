"""What encrypted values look like, and the errors of keys. AES-256-GCM, authenticated for one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connectors.errors import ITMustAct

SYSTEM = "keys"

KEY_BYTES = 32
KEY_ID_BYTES = 8
INSTANCE_FORMAT = b"\x01"  # under a key of the key file
PERSON_FORMAT = b"\x02"  # under the key of one person

_NONCE_BYTES = 12  # NIST SP 800-38D section 8.2.2: a random 96-bit nonce, fit for 2**32 messages under one key
_KEY_ID = slice(1, 1 + KEY_ID_BYTES)
_HEADER_BYTES = 1 + KEY_ID_BYTES + _NONCE_BYTES


class KeyFileProblem(ITMustAct):
    """The key file, or a person's key, is missing, exposed or damaged; no text of it is in the message."""

    default_remedy = "Put the key file back from its copy, or make one for a new instance with `rdv-gateway init`."

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message, system=SYSTEM, remedy=remedy)


class Undecipherable(ITMustAct):
    """A stored value was not written with these keys, was altered, or was moved to another place."""

    default_remedy = "Put back the key file that belongs to this database."

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message, system=SYSTEM, remedy=remedy)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class SealingKey:
    """One key at work. Its repr shows nothing of it. `key_id`: random, in front of all that it encrypts."""

    format: bytes
    key_id: bytes
    _cipher: AESGCM
    _random: Callable[[int], bytes]

    def __repr__(self) -> str:
        return "SealingKey(…)"

    def seal(self, data: bytes, context: str) -> bytes:
        """Encrypt for one place: `context` names table, column and row, and is authenticated."""
        nonce = self._random(_NONCE_BYTES)
        return b"".join((self.format, self.key_id, nonce, self._cipher.encrypt(nonce, data, context.encode())))

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """What `seal` was given, under the same context. Raises `Undecipherable`."""
        try:
            return self._cipher.decrypt(sealed[_KEY_ID.stop : _HEADER_BYTES], sealed[_HEADER_BYTES:], context.encode())
        except InvalidTag:
            raise Undecipherable(f"{context}: altered, or moved from another place") from None


def key_of(sealed: bytes) -> tuple[bytes, bytes]:
    """(format, key id) of an encrypted value; two empty ones of what is none."""
    if len(sealed) < _HEADER_BYTES or sealed[:1] not in (INSTANCE_FORMAT, PERSON_FORMAT):
        return b"", b""
    return sealed[:1], sealed[_KEY_ID]
