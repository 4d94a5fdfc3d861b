"""The file itself: a ZIP of JSON documents that IT can read before sending it."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

README = """\
An incident bundle of rdv-gateway, for its maintainers. Read it before you send it: every document is plain JSON.

It holds versions, numbers, switches of the configuration, and sentences of which only words that stand in the
program's own source were kept ("…" for everything else). It holds no title, place, note or name, no address, login,
password or token. Agents, organisations, hosts and accounts bear other names, the same within this file;
`rdv-gateway support who FILE NAME` says on your own machine, with your keys, who is meant.
"""


def write_bundle(file: Path, documents: Mapping[str, object]) -> None:
    """Readable by its owner alone. Raises `FileExistsError` rather than overwrite, and other `OSError`."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", README)
        for name, document in documents.items():
            archive.writestr(f"{name}.json", json.dumps(document, ensure_ascii=False, indent=1))


def salt_of(file: Path) -> bytes:
    """Of a bundle. Raises `ValueError` for what is none, `OSError`."""
    try:
        with zipfile.ZipFile(file) as archive:
            return bytes.fromhex(json.loads(archive.read("about.json"))["salt"])
    except (zipfile.BadZipFile, KeyError, TypeError) as error:
        raise ValueError("not an incident bundle") from error
