"""Sentences reduced to words that this program's own source contains: an allow-list of words.

What an error says is made of the program's own texts, with things of the département between them: names of calendars,
addresses, ids. Only a word that stands in the source can pass; all else becomes an ellipsis.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

_PACKAGES = ("connectors", "mappings", "gateway")
_LEFT_OUT = frozenset({"sandbox", "demo", "notice_texts.py", "texts.py", "template.py", "templates"})
"""Example persons, and texts in French for agents: no error quotes them."""
_WORD = re.compile(r"[^\W\d_](?:[\w'’-]*[^\W_])?")
_NUMBER = re.compile(r"\d{1,3}")
_VERSION = re.compile(r"v?\d{1,4}(?:\.\d{1,4}){1,2}")
_AROUND = ".,;:!?()[]«»\"'`"
_ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words in lower case."""

    words: frozenset[str]

    def only(self, text: str) -> str:
        """The text with `…` for each piece that is neither a word of the vocabulary, nor a number of up to three
        digits, nor a version of up to three parts. Pieces are what lies between spaces."""
        kept: list[str] = []
        for piece in text.split():
            passed = self._piece(piece)
            if passed != _ELLIPSIS or not kept or kept[-1] != _ELLIPSIS:
                kept.append(passed)
        return " ".join(kept)

    def identifier(self, text: str) -> str:
        """A name such as `event_moved` when the source contains it as one, else `…`."""
        return text if text.lower() in self.words else _ELLIPSIS

    def _piece(self, piece: str) -> str:
        core = piece.strip(_AROUND)
        if not core:
            return piece if len(piece) <= 1 else _ELLIPSIS
        known = core.lower() in self.words or _NUMBER.fullmatch(core) or _VERSION.fullmatch(core)
        return piece if known else _ELLIPSIS


@cache
def vocabulary() -> Vocabulary:
    """Of the program that runs."""
    return Vocabulary(frozenset(_words_in(text for name in _PACKAGES for text in _texts(files(name)))))


def _words_in(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        for piece in text.split():
            core = piece.strip(_AROUND).lower()
            if _WORD.fullmatch(core):
                yield core


def _texts(place: Traversable) -> Iterator[str]:
    for each in place.iterdir():
        if each.name in _LEFT_OUT:
            continue
        if each.is_dir():
            yield from _texts(each)
        elif each.name.endswith(".py"):
            tree = ast.parse(each.read_text(encoding="utf-8"))
            yield from (node.value for node in ast.walk(tree) if _is_text(node))  # type: ignore[attr-defined]


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
