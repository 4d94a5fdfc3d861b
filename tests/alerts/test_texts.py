"""What messages say: complete, in French as it is typeset, and nothing private."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from gateway.alerts import texts
from gateway.alerts.composing import grouped, message, trial
from gateway.alerts.typography import typeset
from gateway.alerts.values import MANNERS, Audience, Cause, Kind, News, Word
from gateway.alerts.wording import span
from gateway.sync.values import ConflictKind, HoldReason
from mappings.texts import source_text
from tests.alerts.conftest import SENDER, START

RULED = (Kind.RDV_OVER_BUSY, Kind.CONFLICT, Kind.DECIDED)
WHO = {
    **dict.fromkeys(Kind, (Audience.IT,)),
    **dict.fromkeys(RULED, (Audience.AGENT, Audience.REFERENTE)),
    **dict.fromkeys((Kind.RECONNECT, Kind.FREED_BY_HAND), (Audience.AGENT,)),
}


def everything() -> Iterator[News]:
    """Each kind to each audience that it may have, in each word."""
    wall = datetime(2026, 3, 9, 9, 30)
    for kind, audiences in WHO.items():
        for audience in audiences:
            words = [Word.TOLD, *([Word.REMINDER] * MANNERS[kind].reminds), *([Word.OVER] * MANNERS[kind].says_over)]
            subject = {Kind.HOLDS: "many_removals", Kind.CONFLICT: "orphan"}.get(kind, "zimbra")
            for word in words:
                agent = None if audience is Audience.IT else 7
                cause = Cause(kind, audience, subject, agent, start=wall, end=wall + timedelta(hours=1), detail="403")
                yield News(word, cause, START)


def source_texts() -> Iterator[str]:
    for value in vars(texts).values():
        for each in value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,):
            if isinstance(each, str) and not isinstance(value, type) and " " in each:
                yield each


@pytest.mark.parametrize(
    "news", list(everything()), ids=lambda news: f"{news.cause.audience}-{news.cause.kind}-{news.word}"
)
def test_every_message_has_its_text_typeset_and_filled(news):
    made = message([news], SENDER)
    for text in (made.subject, made.body):
        plain = re.sub(r"https://[^\s)]+", "", text)
        assert not re.search("(?<!\u00a0)[:»]|(?<!\u202f)[;!?]|«(?!\u00a0)", plain)
        assert not re.search(r"[{}]|  ", text)
    assert made.body.startswith("Bonjour,\n\n")
    assert made.subject.startswith("[Agenda RDV] ")
    assert len(made.subject) < 120


def test_an_agent_reads_no_technical_detail_and_a_referente_no_time():
    for news in everything():
        body = message([news], SENDER).body
        assert ("403" in body) == (news.cause.audience is Audience.IT and news.word is not Word.OVER)
        assert ("9 mars" in body) == (news.cause.audience is Audience.AGENT)


def test_reasons_and_conflicts_all_have_words():
    untold = {HoldReason.FIRST_RUN, HoldReason.NATIVE_SYNC}
    assert set(texts.REASONS) == {each.value for each in HoldReason if each not in untold}
    spoken = set(texts.CONFLICTS) | {ConflictKind.RDV_OVER_BUSY.value}
    assert spoken == {each.value for each in ConflictKind if not each.is_momentary}


def test_source_texts_keep_accents_on_capitals_and_names_as_they_are_written():
    for text in source_texts():
        assert not re.search(r"\b(?:A|Etat|Evenement|evenement|reunion|deja|apres|tres|meme|etre|regle)\b", text), text
        assert "RDV-Solidarites" not in text
        assert "..." not in text
        names = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
        assert all(name.isidentifier() for name in names), text


@pytest.mark.parametrize(
    ("written", "set_"),
    [
        ("Rappel : oui", "Rappel\u00a0: oui"),
        ("vraiment ? oui ; non !", "vraiment\u202f? oui\u202f; non\u202f!"),
        ("« check »", "«\u00a0check\u00a0»"),
        ("de 9 h 30 à 10 h", "de 9\u00a0h\u00a030 à 10\u00a0h"),
        ("https://rdv.example.fr:443/?a=1", "https://rdv.example.fr:443/?a=1"),
        ("12 heures", "12 heures"),
    ],
)
def test_spaces_that_do_not_break(written, set_):
    assert typeset(written) == set_
    assert typeset(set_) == set_


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ((2026, 3, 1, 9, 0), (2026, 3, 1, 10, 5), "dimanche 1er mars 2026 de 9 h à 10 h 05"),
        ((2026, 8, 14, 22, 30), (2026, 8, 15, 0, 0), "du vendredi 14 août 2026 à 22 h 30 au samedi 15 août 2026 à 0 h"),
        ((2026, 12, 2, 9, 0), None, "mercredi 2 décembre 2026 à 9 h"),
    ],
)
def test_times_in_words(start, end, said):
    assert span(datetime(*start), datetime(*end) if end else None, source_text) == said


def test_a_message_tells_ten_times_and_how_many_more_there_are():
    walls = [datetime(2026, 3, day, 9) for day in range(1, 16)]
    causes = [Cause(Kind.FREED_BY_HAND, Audience.AGENT, agent_id=7, about=str(each), start=each) for each in walls]
    news = [News(Word.TOLD, cause, START) for cause in causes]
    (group,) = grouped(news).values()
    body = message(group, SENDER).body
    assert body.count("\n- ") == 11
    assert "et d'autres\u00a0: 5" in body
    assert "1er mars" in body


def test_the_trial_message_says_nothing():
    made = trial(SENDER)
    assert "Il n'y a rien à faire" in made.body


def test_a_translation_reaches_every_sentence():
    """Each text goes through the translator, so that another language is a catalogue away."""
    asked: set[str] = set()

    def translate(text: str) -> str:
        asked.add(text)
        return text

    for news in everything():
        message([news], SENDER, translate=translate)
    assert {*texts.HEADLINES.values(), *texts.ADVICE.values(), *texts.IS_OVER.values()} <= asked


def test_instants_are_told_where_the_instance_is():
    cause = Cause(Kind.SYSTEM_AWAY, Audience.IT, "zimbra", count=12)
    body = message([News(Word.TOLD, cause, datetime(2026, 7, 1, 22, 30, tzinfo=UTC))], SENDER).body
    assert "Depuis le jeudi 2 juillet 2026 à 0\u00a0h\u00a030." in body
