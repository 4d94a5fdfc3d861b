"""The instance's keys: a file outside the database, and what is done with it.

The file (TOML, mode 0600) holds the instance's random id, one or more encryption keys (the first encrypts, all of
them decrypt, so that a key can be replaced little by little) and two roots that other keys are derived from
(HKDF, RFC 5869). The roots never change: the names of our events derive from one; stored digests, the journal's chains
and the key that signs its checkpoints from the other. Keys of persons are beside it, in files of their own.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import stat
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.person_keys import PersonKeys
from gateway.sealing import (
    INSTANCE_FORMAT,
    KEY_BYTES,
    KEY_ID_BYTES,
    PERSON_FORMAT,
    KeyFileProblem,
    SealingKey,
    Undecipherable,
    key_of,
)

__all__ = ["KeyFileProblem", "Keyring", "Undecipherable", "create_key_file", "load_keys", "persons_directory"]

_FILE = """\
# Keys of one rdv-gateway instance. Whoever reads this file and the database reads all that the database protects.
# Keep a copy of it apart from the copies of the database: without it that content is lost for good.
instance = "{instance}"

# Never change these two: the names of our events in calendars, stored digests and the journal derive from them.
identity_root = "{identity}"
digest_root = "{digest}"

# The first key encrypts, all of them decrypt.
[[encryption]]
id = "{key_id}"
key = "{key}"
"""


class _InstanceKeys:
    """The encryption keys of the key file: the first encrypts, all of them decrypt."""

    def __init__(self, keys: Mapping[bytes, bytes], random: Callable[[int], bytes] = os.urandom) -> None:
        self._keys = {key_id: SealingKey(INSTANCE_FORMAT, key_id, AESGCM(key), random) for key_id, key in keys.items()}

    def encrypt(self, data: bytes, context: str) -> bytes:
        return next(iter(self._keys.values())).seal(data, context)

    def decrypt(self, data: bytes, context: str) -> bytes:
        kind, key_id = key_of(data)
        if kind != INSTANCE_FORMAT:
            raise Undecipherable(f"{context}: not a value that was encrypted by the gateway")
        key = self._keys.get(key_id)
        if key is None:
            raise Undecipherable(f"{context}: encrypted with a key that the key file does not hold")
        return key.unseal(data, context)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Keyring:
    """Keys at work. Thread-safe. Neither its repr nor its errors show any of them.

    `digest_key` is for keyed digests of content; `identity_key` for UIDs and markers; `chain_key` for the journal's
    chains. 32 bytes each. `persons`: the keys of what concerns one agent. `signing_key`: of the journal's checkpoints.
    """

    instance_id: str
    digest_key: bytes
    identity_key: bytes
    chain_key: bytes
    signing_key: Ed25519PrivateKey
    persons: PersonKeys
    _instance: _InstanceKeys

    def __repr__(self) -> str:
        return "Keyring(…)"

    def encrypt(self, data: bytes, context: str) -> bytes:
        """Encrypt (AES-256-GCM) for one place: `context` names table, column and row, and is authenticated."""
        return self._instance.encrypt(data, context)

    def decrypt(self, data: bytes, context: str) -> bytes:
        """What `encrypt` was given, under the same context. Raises `Undecipherable`."""
        return self._instance.decrypt(data, context)

    def encrypt_for(self, agent_id: int, data: bytes, context: str) -> bytes:
        """The same under the agent's own key, so that it can be erased everywhere. Raises `KeyFileProblem`."""
        return self.persons.seal(agent_id, data, context)

    def decrypt_for(self, agent_id: int, data: bytes, context: str) -> bytes:
        """What `encrypt_for` was given for this agent, or, by an earlier version, `encrypt`. Raises `Undecipherable`,
        `PersonKeyGone`, `KeyFileProblem`."""
        if key_of(data)[0] == PERSON_FORMAT:
            return self.persons.unseal(agent_id, data, context)
        return self.decrypt(data, context)

    def digest(self, data: bytes) -> str:
        """Keyed digest (HMAC-SHA256 under `digest_key`), hexadecimal."""
        return hmac.digest(self.digest_key, data, hashlib.sha256).hex()


def create_key_file(path: Path, *, random: Callable[[int], bytes] = os.urandom) -> None:
    """Make a new instance's key file (mode 0600) and, beside it, the directory of persons' keys (0700), with the
    directories above them (0700).

    Never overwrites, and is never seen half written. Raises `KeyFileProblem` when something is there already.
    """
    text = _FILE.format(
        instance=random(16).hex(),
        identity=_encode(random(KEY_BYTES)),
        digest=_encode(random(KEY_BYTES)),
        key_id=random(KEY_ID_BYTES).hex(),
        key=_encode(random(KEY_BYTES)),
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
    persons_directory(path).mkdir(mode=0o700, exist_ok=True)


def persons_directory(path: Path) -> Path:
    """Where the keys of persons are: beside the key file."""
    return path.with_name(f"{path.name}.persons")


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
        return _keyring(tomllib.loads(text.decode()), persons_directory(path))
    except (ValueError, KeyError, TypeError, AttributeError):
        # The cause is dropped: a parser's message may quote a key.
        raise KeyFileProblem(f"{path} is not a key file, or is damaged") from None


def _keyring(content: dict[str, object], persons: Path) -> Keyring:
    instance = content["instance"]
    encryption = content["encryption"]
    if not (isinstance(instance, str) and instance and isinstance(encryption, list) and encryption):
        raise ValueError
    keys = {_key_id(entry["id"]): _decode(entry["key"]) for entry in encryption}
    if len(keys) != len(encryption):
        raise ValueError
    digest_root = _decode(content["digest_root"])
    instance_keys = _InstanceKeys(keys)
    return Keyring(
        instance_id=instance,
        digest_key=_derive(digest_root, "digest"),
        identity_key=_derive(_decode(content["identity_root"]), "identity"),
        chain_key=_derive(digest_root, "journal"),
        signing_key=Ed25519PrivateKey.from_private_bytes(_derive(digest_root, "checkpoint")),
        persons=PersonKeys(persons, instance_keys),
        _instance=instance_keys,
    )


def _derive(root: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=f"rdv-gateway/{purpose}/1".encode()).derive(root)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(text: object) -> bytes:
    if not isinstance(text, str):
        raise TypeError
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError from None
    if len(data) != KEY_BYTES:
        raise ValueError
    return data


def _key_id(text: object) -> bytes:
    if not isinstance(text, str):
        raise TypeError
    key_id = bytes.fromhex(text)
    if len(key_id) != KEY_ID_BYTES:
        raise ValueError
    return key_id
