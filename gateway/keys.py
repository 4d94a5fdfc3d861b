"""The instance's keys: a file outside the database, and what is done with it.

The file (TOML, mode 0600) holds the instance's random id, one or more encryption keys (the first encrypts, all of
them decrypt, so that a key can be replaced little by little) and two roots that other keys are derived from
(HKDF, RFC 5869). The roots never change: the names of our events derive from one, stored digests from the other.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import stat
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from connectors.errors import ITMustAct

SYSTEM = "keys"

_FORMAT = b"\x01"
_KEY_BYTES = 32
_KEY_ID_BYTES = 8
_NONCE_BYTES = 12  # NIST SP 800-38D section 8.2.2: a random 96-bit nonce, fit for 2**32 messages under one key
_HEADER_BYTES = len(_FORMAT) + _KEY_ID_BYTES + _NONCE_BYTES

_FILE = """\
# Keys of one rdv-gateway instance. Whoever reads this file and the database reads all that the database protects.
# Keep a copy of it apart from the copies of the database: without it that content is lost for good.
instance = "{instance}"

# Never change these two: the names of our events in calendars, and stored digests, derive from them.
identity_root = "{identity}"
digest_root = "{digest}"

# The first key encrypts, all of them decrypt.
[[encryption]]
id = "{key_id}"
key = "{key}"
"""


class KeyFileProblem(ITMustAct):
    """The key file is missing, exposed or damaged; no text of it is in the message."""

    default_remedy = "Put the key file back from its copy, or make one for a new instance with `rdv-gateway init`."

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message, system=SYSTEM, remedy=remedy)


class Undecipherable(ITMustAct):
    """A stored value was not written with these keys, was altered, or was moved to another place."""

    default_remedy = "Put back the key file that belongs to this database."

    def __init__(self, message: str) -> None:
        super().__init__(message, system=SYSTEM)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Keyring:
    """Keys at work. Thread-safe. Neither its repr nor its errors show any of them.

    `digest_key` is for keyed digests of content; `identity_key` for UIDs and markers. 32 bytes each.
    """

    instance_id: str
    digest_key: bytes
    identity_key: bytes
    _ciphers: dict[bytes, AESGCM] = field()  # key id -> cipher; the first one encrypts
    _random: Callable[[int], bytes] = os.urandom

    def __repr__(self) -> str:
        return "Keyring(…)"

    def encrypt(self, data: bytes, context: str) -> bytes:
        """Encrypt (AES-256-GCM) for one place: `context` names table, column and row, and is authenticated."""
        key_id, cipher = next(iter(self._ciphers.items()))
        nonce = self._random(_NONCE_BYTES)
        return b"".join((_FORMAT, key_id, nonce, cipher.encrypt(nonce, data, context.encode())))

    def decrypt(self, data: bytes, context: str) -> bytes:
        """What `encrypt` was given, under the same context. Raises `Undecipherable`."""
        if len(data) < _HEADER_BYTES or data[:1] != _FORMAT:
            raise Undecipherable(f"{context}: not a value that was encrypted by the gateway")
        cipher = self._ciphers.get(data[1 : 1 + _KEY_ID_BYTES])
        if cipher is None:
            raise Undecipherable(f"{context}: encrypted with a key that the key file does not hold")
        try:
            return cipher.decrypt(data[1 + _KEY_ID_BYTES : _HEADER_BYTES], data[_HEADER_BYTES:], context.encode())
        except InvalidTag:
            raise Undecipherable(f"{context}: altered, or moved from another place") from None

    def digest(self, data: bytes) -> str:
        """Keyed digest (HMAC-SHA256 under `digest_key`), hexadecimal."""
        return hmac.digest(self.digest_key, data, hashlib.sha256).hex()


def create_key_file(path: Path, *, random: Callable[[int], bytes] = os.urandom) -> None:
    """Make a new instance's key file, mode 0600, with the directories above it (0700).

    Never overwrites, and is never seen half written. Raises `KeyFileProblem` when something is there already.
    """
    text = _FILE.format(
        instance=random(16).hex(),
        identity=_encode(random(_KEY_BYTES)),
        digest=_encode(random(_KEY_BYTES)),
        key_id=random(_KEY_ID_BYTES).hex(),
        key=_encode(random(_KEY_BYTES)),
    )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # unlike a rename, fails when the name is taken
    except FileExistsError:
        raise KeyFileProblem(
            f"{path} exists already; a key file is never overwritten",
            remedy="Use it, or name another file for another instance.",
        ) from None
    finally:
        draft.unlink()


def load_keys(path: Path) -> Keyring:
    """Read a key file. Raises `KeyFileProblem`, also when group or others have any right on it."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read()
    except OSError as error:
        raise KeyFileProblem(f"{path} cannot be read: {error.strerror}") from None
    if mode & 0o077:
        raise KeyFileProblem(f"{path} is open to others (mode {mode:04o})", remedy=f"Run `chmod 600 {path}`.")
    try:
        return _keyring(tomllib.loads(text.decode()))
    except (ValueError, KeyError, TypeError, AttributeError):
        # The cause is dropped: a parser's message may quote a key.
        raise KeyFileProblem(f"{path} is not a key file, or is damaged") from None


def _keyring(content: dict[str, object]) -> Keyring:
    instance = content["instance"]
    encryption = content["encryption"]
    if not (isinstance(instance, str) and instance and isinstance(encryption, list) and encryption):
        raise ValueError
    ciphers = {_key_id(entry["id"]): AESGCM(_decode(entry["key"])) for entry in encryption}
    if len(ciphers) != len(encryption):
        raise ValueError
    return Keyring(
        instance_id=instance,
        digest_key=_derive(_decode(content["digest_root"]), "digest"),
        identity_key=_derive(_decode(content["identity_root"]), "identity"),
        _ciphers=ciphers,
    )


def _derive(root: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=f"rdv-gateway/{purpose}/1".encode()).derive(root)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(text: object) -> bytes:
    if not isinstance(text, str):
        raise TypeError
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError from None
    if len(data) != _KEY_BYTES:
        raise ValueError
    return data


def _key_id(text: object) -> bytes:
    if not isinstance(text, str):
        raise TypeError
    key_id = bytes.fromhex(text)
    if len(key_id) != _KEY_ID_BYTES:
        raise ValueError
    return key_id
