"""Bodies decompressed piece by piece, within a limit."""

from __future__ import annotations

import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ics.inflating import Damaged, Larger, body_of


def packed(body: bytes) -> bytes:
    return zlib.compress(body, wbits=31)


def in_pieces(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=3), st.integers(1, 50))
def test_however_it_comes_in_pieces_it_is_the_same(members: list[bytes], size: int) -> None:
    whole = b"".join(members)
    sent = b"".join(map(packed, members))
    assert body_of(in_pieces(sent, size), "gzip", len(whole)) == whole
    assert body_of(in_pieces(whole, size), "", len(whole)) == whole
    if whole:
        with pytest.raises(Larger):
            body_of(in_pieces(sent, size), "gzip", len(whole) - 1)
        with pytest.raises(Larger):
            body_of(in_pieces(whole, size), "identity", len(whole) - 1)


@given(st.binary(min_size=1, max_size=300), st.data())
def test_what_was_broken_off_is_damaged(body: bytes, data: st.DataObject) -> None:
    sent = packed(body)
    part = sent[: data.draw(st.integers(1, len(sent) - 1))]
    with pytest.raises(Damaged):
        body_of([part], "gzip", 1000)


def test_nothing_is_nothing() -> None:
    assert body_of([], "gzip", 10) == b""


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip"])
def test_another_compression_than_was_asked_for_is_damage(encoding: str) -> None:
    with pytest.raises(Damaged):
        body_of([packed(b"a")], encoding, 10)


def test_a_bomb_in_one_piece_takes_no_more_memory_than_the_limit() -> None:
    bomb = packed(b"a" * 100_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(Larger):
            body_of([bomb], "gzip", 1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
