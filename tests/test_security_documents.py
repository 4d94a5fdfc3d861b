"""The security and data-protection documents name what the program has."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import LargeBinary

from gateway.store.schema import metadata

DOCS = Path(__file__).parents[1] / "docs"
DATA = (DOCS / "data-protection.md").read_text(encoding="utf-8")
SECURITY = (DOCS / "security.md").read_text(encoding="utf-8")


def rows() -> dict[str, str]:
    """By table, the row of "What is kept" that is about it."""
    part = DATA.split("## What is kept")[1].split("\n## ")[0]
    found = {}
    for line in part.splitlines():
        if line.startswith("| `"):
            found |= dict.fromkeys(re.findall(r"`(\w+)`", line.split("|")[1]), line)
    return found


def test_every_table_is_in_the_list_of_what_is_kept_and_no_other():
    assert set(rows()) == set(metadata.tables)


def test_what_is_encrypted_is_marked_in_its_row_and_nothing_else_is():
    """Binary columns are what is encrypted. A row may stand for tables with and without them."""
    encrypted = {
        name for name, table in metadata.tables.items() if any(isinstance(each.type, LargeBinary) for each in table.c)
    }
    marked = {line for line in rows().values() if "**" in line}
    assert marked == {rows()[name] for name in encrypted}


def test_links_of_both_documents_lead_somewhere():
    for text in (DATA, SECURITY, (DOCS / "api.md").read_text(encoding="utf-8")):
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", text):
            assert (DOCS / target).exists(), target
