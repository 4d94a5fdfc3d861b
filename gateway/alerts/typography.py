"""French spaces: texts are written with plain ones, and are given those that do not break (Imprimerie nationale,
« Lexique des règles typographiques »: a thin one before ; ! ?, a whole one before : and within guillemets)."""

from __future__ import annotations

import re

_WHOLE, _THIN = "\u00a0", "\u202f"


def typeset(text: str) -> str:
    """`text` with spaces that do not break where French wants them; also between an hour's figures and its h."""
    text = re.sub(r" ([;!?])", rf"{_THIN}\1", text)
    text = re.sub(r" ([:»])", rf"{_WHOLE}\1", text)
    text = re.sub(r"« ", rf"«{_WHOLE}", text)
    return re.sub(r"(?<=\d) (?=h\b)|(?<=\bh) (?=\d)", _WHOLE, text)
