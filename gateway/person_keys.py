"""A key for each person, outside the database and its backups: what it encrypted is gone everywhere once it is gone.

The keys are files of a directory beside the key file, one per agent (mode 0600), each encrypted with the instance's
key: the directory alone opens nothing. A key is made when it is first needed. Erasing leaves a mark that says so.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.sealing import (
    KEY_BYTES,
    KEY_ID_BYTES,
    PERSON_FORMAT,
    KeyFileProblem,
    SealingKey,
    Undecipherable,
    key_of,
)


class PersonKeyGone(Undecipherable):
    """The key of a person's value is not there (any more): erased, or lost."""


class Wrapping(Protocol):
    """What encrypts the keys themselves."""

    def encrypt(self, data: bytes, context: str) -> bytes: ...

    def decrypt(self, data: bytes, context: str) -> bytes: ...


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class _PersonKey:
    signature: tuple[int, int]  # of the file that it was read from
    sealing: SealingKey
    digest_key: bytes


class PersonKeys:
    """The keys in `directory`. Thread-safe, and several processes may use one directory.

    Every method may raise `KeyFileProblem`. A key that another process erased is not used again: its file is looked
    for each time.
    """

    def __init__(self, directory: Path, wrapping: Wrapping, *, random: Callable[[int], bytes] = os.urandom) -> None:
        self._directory = directory
        self._wrapping = wrapping
        self._random = random
        self._known: dict[int, _PersonKey] = {}
        self._making = threading.Lock()

    def __repr__(self) -> str:
        return f"PersonKeys({self._directory})"

    def begin(self) -> None:
        """Make the directory (mode 0700) if it is not there: for a new instance, or one that had none yet."""
        self._directory.mkdir(mode=0o700, exist_ok=True)

    def seal(self, agent_id: int, data: bytes, context: str) -> bytes:
        """Encrypt what concerns an agent; makes their key if they have none."""
        return self._key(agent_id).sealing.seal(data, context)

    def unseal(self, agent_id: int, sealed: bytes, context: str) -> bytes:
        """What `seal` was given. Raises `PersonKeyGone`, `Undecipherable`."""
        known = self._find(agent_id)
        if known is None or key_of(sealed) != (PERSON_FORMAT, known.sealing.key_id):
            if self.is_erased(agent_id):
                raise PersonKeyGone(
                    f"{context}: what concerned agent {agent_id} was erased",
                    remedy=f"This database is from before: run `rdv-gateway journal erase {agent_id}` again.",
                )
            raise PersonKeyGone(
                f"{context}: the key of agent {agent_id} is not in {self._directory}",
                remedy="Put that directory back from its copy.",
            )
        return known.sealing.unseal(sealed, context)

    def digest(self, agent_id: int, data: bytes) -> str:
        """Keyed digest (HMAC-SHA256) that tells nothing any more once the agent's key is erased; hexadecimal."""
        return hmac.digest(self._key(agent_id).digest_key, data, hashlib.sha256).hex()

    def opens(self, agent_id: int, sealed: bytes) -> bool:
        """Whether the key that encrypted this is there."""
        known = self._find(agent_id)
        return known is not None and key_of(sealed) == (PERSON_FORMAT, known.sealing.key_id)

    def has(self, agent_id: int) -> bool:
        """Whether the agent has a key."""
        return self._find(agent_id) is not None

    def is_erased(self, agent_id: int) -> bool:
        """Whether a key of the agent was erased, ever."""
        return self._mark(agent_id).exists()

    def erase(self, agent_id: int, *, why: str) -> bool:
        """Destroy an agent's key for good; False when there was none. `why` is kept in the mark: when, by whom."""
        self._require_directory()
        with self._making:
            self._known.pop(agent_id, None)
            path = self._path(agent_id)
            try:
                self._put(self._mark(agent_id), why.encode(), replace=True)
                with path.open("r+b", buffering=0) as file:
                    file.write(self._random(os.fstat(file.fileno()).st_size))
                    os.fsync(file.fileno())
                path.unlink()
                for draft in self._directory.glob(f".{path.name}.*"):  # of a process that was killed
                    draft.unlink(missing_ok=True)
                self._sync_directory()
            except FileNotFoundError:
                return False
            except OSError as error:
                raise self._problem("erased", agent_id, error) from None
            return True

    # --- the files -------------------------------------------------------------------------------------------

    def _key(self, agent_id: int) -> _PersonKey:
        return self._find(agent_id) or self._make(agent_id)

    def _find(self, agent_id: int) -> _PersonKey | None:
        path = self._path(agent_id)
        try:
            found = path.stat()
            known = self._known.get(agent_id)
            if known is None or known.signature != (found.st_ino, found.st_mtime_ns):
                known = self._known[agent_id] = self._read(path, agent_id)
        except FileNotFoundError:
            self._known.pop(agent_id, None)
            self._require_directory()
            return None
        except OSError as error:
            raise self._problem("read", agent_id, error) from None
        return known

    def _read(self, path: Path, agent_id: int) -> _PersonKey:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            wrapped = file.read()
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise KeyFileProblem(f"{path} is open to others", remedy=f"Run `chmod 600 {path}`.")
        try:
            content = self._wrapping.decrypt(wrapped, _context(agent_id))
        except Undecipherable:
            raise KeyFileProblem(
                f"{path} does not fit the key file, or is damaged",
                remedy="Put the key file and the directory beside it back, both of one instance.",
            ) from None
        key_id, key = content[:KEY_ID_BYTES], content[KEY_ID_BYTES:]
        sealing = SealingKey(PERSON_FORMAT, key_id, AESGCM(_derive(key, "content")), self._random)
        return _PersonKey((found.st_ino, found.st_mtime_ns), sealing, _derive(key, "digest"))

    def _make(self, agent_id: int) -> _PersonKey:
        with self._making:
            fresh = self._random(KEY_ID_BYTES) + self._random(KEY_BYTES)
            try:
                # Another process may have made one at the same time: then theirs is the key.
                with suppress(FileExistsError):
                    self._put(self._path(agent_id), self._wrapping.encrypt(fresh, _context(agent_id)))
            except OSError as error:
                raise self._problem("made", agent_id, error) from None
            made = self._find(agent_id)
            if made is None:
                raise KeyFileProblem(f"the key of agent {agent_id} vanished right after it was made")
            return made

    def _put(self, path: Path, content: bytes, *, replace: bool = False) -> None:
        """Never seen half written, and there after a power cut."""
        draft = path.with_name(f".{path.name}.{self._random(8).hex()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                draft.replace(path)
            else:
                os.link(draft, path)  # unlike a rename, fails when the name is taken
        finally:
            draft.unlink(missing_ok=True)
        self._sync_directory()

    def _sync_directory(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _require_directory(self) -> None:
        """Without it new keys would be made in place of those that are only elsewhere for the moment."""
        if not self._directory.is_dir():
            raise KeyFileProblem(
                f"the directory of persons' keys, {self._directory}, is not there",
                remedy="Put it back from its copy. Lost for good: make it empty (`mkdir -m 700`); what its keys "
                "encrypted cannot be read any more.",
            )

    def _problem(self, what: str, agent_id: int, error: OSError) -> KeyFileProblem:
        return KeyFileProblem(
            f"the key of agent {agent_id} in {self._directory} cannot be {what}: {error.strerror}",
            remedy="Look at that directory's rights and disk.",
        )

    def _path(self, agent_id: int) -> Path:
        return self._directory / f"agent-{agent_id}"

    def _mark(self, agent_id: int) -> Path:
        return self._directory / f"agent-{agent_id}.erased"


def _context(agent_id: int) -> str:
    return f"person key/{agent_id}"


def _derive(key: bytes, purpose: str) -> bytes:
    info = f"rdv-gateway/person/{purpose}/1".encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(key)
