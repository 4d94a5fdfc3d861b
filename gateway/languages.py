"""Translations of what people read: French is the source text, catalogues of other languages are in `locale/`."""

from __future__ import annotations

import gettext
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from mappings.texts import Translate, source_text

_CATALOGUES = Path(__file__).parent / "locale"


@lru_cache(maxsize=8)
def translation(language: str) -> Translate:
    """How French texts are said in a language; French where there is no catalogue, or a text is not in it."""
    path = _CATALOGUES / language / "rdv-gateway.po"
    if not path.is_file():
        return source_text
    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled).gettext
