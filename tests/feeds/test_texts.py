"""Every text of feeds is said in English too."""

from __future__ import annotations

from collections.abc import Iterator
from string import Formatter

from gateway.feeds import texts
from gateway.languages import translation
from mappings import feed_texts

SAME = {"Outlook", "iPhone, iPad, Mac"}


def said(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from said(each)


def test_every_text_has_its_english_with_the_same_places() -> None:
    found = {
        text
        for module in (texts, feed_texts)
        for name, each in vars(module).items()
        if name.isupper()
        for text in said(each)
    }
    english = translation("en")
    assert len(found) > 40
    assert {text for text in found if english(text) == text} == SAME
    for text in found:
        names = [[part[1] for part in Formatter().parse(each) if part[1]] for each in (text, english(text))]
        assert sorted(names[0]) == sorted(names[1])


def test_another_language_stays_french() -> None:
    assert translation("de")(texts.NEXT) == texts.NEXT
