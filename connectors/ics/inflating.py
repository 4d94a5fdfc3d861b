"""The body of an answer as it comes, decompressed piece by piece and never beyond a limit. Pure but for its input."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator


class Larger(Exception):
    """There is more than was allowed for; the rest was not read, nor decompressed."""


class Damaged(Exception):
    """It is not what its Content-Encoding says, or was broken off."""


def body_of(pieces: Iterable[bytes], encoding: str, limit: int) -> bytes:
    """The whole body of at most `limit` bytes. `encoding`: the Content-Encoding. Raises `Larger`, `Damaged`."""
    encoding = encoding.strip().lower()
    if encoding in ("gzip", "x-gzip"):
        pieces = _inflated(pieces, limit)
    elif encoding not in ("", "identity"):
        raise Damaged
    found: list[bytes] = []
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise Larger
        found.append(piece)
    return b"".join(found)


def _inflated(pieces: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """A few kilobytes may stand for gigabytes: never more than `limit` at a time is made of them."""
    inflater = zlib.decompressobj(wbits=31)
    began = False
    for piece in pieces:
        rest = piece
        while rest:
            if inflater.eof:
                inflater = zlib.decompressobj(wbits=31)  # RFC 1952 section 2.2: one member may follow another
            began = True
            try:
                made = inflater.decompress(rest, limit + 1)
            except zlib.error:
                raise Damaged from None
            if made:
                yield made
            rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
    if began and not inflater.eof:
        raise Damaged
