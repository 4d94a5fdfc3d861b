"""What ends: pre-images, entries, persons. The chains stay whole, and nothing of what ended is left to be read."""

from __future__ import annotations

import base64
import shutil
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from gateway.journal import retention
from gateway.journal.checkpoints import parse
from gateway.journal.findings import Kind
from gateway.journal.log import JournalFilter
from gateway.journal.purging import Purge
from gateway.journal.retention import NotErasable
from gateway.journal.verify import Given
from gateway.keys import KeyFileProblem, Keyring, create_key_file, load_keys, persons_directory
from gateway.person_keys import PersonKeyGone
from gateway.store.database import open_database
from gateway.store.schema import journal, journal_content
from gateway.store.store import Store
from gateway.sync.values import AgentState
from tests.store.samples import AGENT, NOW, absence, agent, entry, operation

OTHER = AGENT + 1
SECRET = b"SUMMARY:Rendez-vous addictologie"
DAY = timedelta(days=1)


@pytest.fixture
def own_keys(tmp_path: Path) -> Keyring:
    """Of this test alone."""
    create_key_file(tmp_path / "etc" / "keys")
    return load_keys(tmp_path / "etc" / "keys")


@pytest.fixture
def own(url: str, own_keys: Keyring) -> Iterator[Store]:
    """A store of these keys, with two agents."""
    database = open_database(url, own_keys)
    store = Store(database)
    with store.transaction() as tx:
        tx.put_agent(agent(AGENT))
        tx.put_agent(agent(OTHER))
    yield store
    database.close()


def write(store: Store, count: int = 6, *, first: int = 0) -> None:
    """One a day, by turns of both agents."""
    with store.transaction() as tx:
        for number in range(first, first + count):
            tx.journal(entry(agent_id=(AGENT, OTHER)[number % 2], at=NOW + number * DAY, before=SECRET))


def erased(store: Store, agent_id: int = AGENT) -> None:
    with store.transaction() as tx:
        tx.set_agent_state(agent_id, AgentState.LEFT)
    with store.transaction() as tx:
        tx.erase_person(agent_id, at=NOW, by="dpo")
    assert store.sweep()


# --- pre-images ----------------------------------------------------------------------------------------------


def test_a_purge_removes_what_is_older_and_the_chains_stay_whole(own: Store) -> None:
    write(own)
    work = Purge(own, content_before=NOW + 4 * DAY, entries_before=None)
    assert work.found() == (4, 0)
    assert work.run(at=NOW + 9 * DAY, by="it") == (4, 0, True)
    left = own.journal(with_content=True)
    assert [row.entry.before for row in left] == [None, SECRET, SECRET, None, None, None, None]
    assert (left[0].entry.action, left[0].entry.by) == ("purge", "it")
    assert own.verify_journal().findings == ()
    assert work.run(at=NOW + 9 * DAY, by="it") == (0, 0, True)
    assert len(own.journal()) == 7, "nothing to purge leaves no entry"


def test_a_pre_image_that_no_purge_explains_is_missed(own: Store) -> None:
    write(own)
    Purge(own, content_before=NOW + 2 * DAY, entries_before=None).run(at=NOW, by="it")
    with own._database.write() as connection:
        connection.execute(delete(journal_content).where(journal_content.c.journal_id == 4))
    assert [(one.kind, one.entry_id) for one in own.verify_journal().findings] == [(Kind.CONTENT_REMOVED, 4)]


def test_a_purge_in_small_steps_comes_to_the_same(own: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    write(own, 9)
    work = Purge(own, content_before=NOW + 5 * DAY, entries_before=NOW + 5 * DAY)
    assert work.run(at=NOW + 9 * DAY, by="it") == (5, 5, True)
    verdict = own.verify_journal()
    assert (verdict.findings, verdict.first_id, verdict.entries) == ((), 6, 6)


# --- entries -------------------------------------------------------------------------------------------------


def cut(store: Store, days: int) -> None:
    Purge(store, content_before=NOW, entries_before=NOW + days * DAY).run(at=NOW + days * DAY, by="it")


def test_entries_that_were_removed_leave_an_anchor_that_the_chains_go_on_from(own: Store) -> None:
    write(own)
    cut(own, 4)
    verdict = own.verify_journal()
    assert verdict.is_whole
    assert (verdict.first_id, verdict.entries, verdict.removed_before) == (5, 3, NOW + 4 * DAY)
    write(own, first=6)
    cut(own, 8)
    write(own, first=12)
    assert own.verify_journal().findings == ()
    numbers = [row["sequence"] for row in own.stored_journal(JournalFilter(agent_id=AGENT))]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_all_entries_may_go_and_the_next_one_follows_the_anchor(own: Store) -> None:
    write(own)
    with own.transaction() as tx:
        assert tx.cut_journal(NOW + 99 * DAY, at=NOW) == 6
    assert own.journal() == ()
    with own.transaction() as tx:
        assert tx.journal(entry()) == 7
    (row,) = own.stored_journal(JournalFilter())
    assert (row["sequence"], own.verify_journal().findings) == (4, ())


def test_an_entry_that_is_older_than_one_before_it_waits_for_that_one(own: Store) -> None:
    """A clock that jumped: only a beginning may go."""
    write(own, 3)
    with own.transaction() as tx:
        tx.journal(entry(at=NOW - 400 * DAY))
        assert tx.cut_journal(NOW + 1 * DAY, at=NOW) == 1


def test_checkpoints_of_before_a_cut_still_hold(own: Store) -> None:
    write(own)
    with own.transaction() as tx:
        early = parse(tx.seal_journal(at=NOW).line)
    write(own, first=6)
    cut(own, 8)
    assert own.verify_journal([Given("early", early)]).findings == ()


def test_an_anchor_cannot_hide_what_a_checkpoint_sealed_and_was_not_old_enough(own: Store) -> None:
    write(own)
    with own.transaction() as tx:
        sealed = parse(tx.seal_journal(at=NOW).line)
        tx.journal(entry(at=NOW - 9 * DAY))
    with own._database.write() as connection:  # someone with the keys, and with patience
        retention.checkpoints.make(connection, own.keys, at=NOW, up_to=7, removed_before=NOW + 2 * DAY)
        connection.execute(delete(journal_content))
        connection.execute(delete(journal))
    assert {one.kind for one in own.verify_journal([Given("sealed", sealed)]).findings} == {Kind.REMOVED}


def test_the_database_refuses_to_remove_what_no_anchor_covers(own: Store) -> None:
    write(own)
    cut(own, 2)
    with own._database.write() as connection:
        connection.execute(delete(journal_content))
    with pytest.raises(IntegrityError, match="append-only"), own._database.write() as connection:
        connection.execute(delete(journal).where(journal.c.id == 3))


def test_entries_that_are_back_after_they_were_removed_are_named(own: Store) -> None:
    write(own)
    with own._database.read() as connection:
        row = dict(connection.execute(select(journal).where(journal.c.id == 2)).mappings().one())
    cut(own, 4)
    with own._database.write() as connection:
        connection.execute(journal.insert(), row)
    assert [(one.kind, one.entry_id) for one in own.verify_journal().findings] == [(Kind.INSERTED, 2)]


# --- a person ------------------------------------------------------------------------------------------------


def test_an_erased_person_is_gone_the_others_stay_and_the_chains_are_whole(own: Store) -> None:
    write(own)
    with own.transaction() as tx:
        tx.save_absences([absence(1, title="Dentiste"), absence(2, title="Congé", agent_id=OTHER)])
    erased(own)
    of_agent = [row.entry for row in own.journal(agent_id=AGENT, with_content=True)]
    assert [one.before for one in of_agent] == [None] * 4
    assert (of_agent[0].action, of_agent[0].by) == ("erase", "dpo")
    assert {row.entry.before for row in own.journal(agent_id=OTHER, with_content=True)} == {SECRET}
    assert list(own.observed_absences()) == [2]
    verdict = own.verify_journal()
    assert (verdict.findings, verdict.unreadable) == ((), {})
    erased(own)
    assert own.verify_journal().is_whole, "erasing may be repeated"


def _forms(data: bytes) -> list[bytes]:
    return [data, data.hex().encode(), base64.b64encode(data)]


def test_neither_content_nor_key_is_left_anywhere_a_copy_of_before_included(
    path: Path, own_keys: Keyring, tmp_path: Path
) -> None:
    """Searched as bytes: the database, its log, a copy made before, the directory of keys."""
    database = open_database(path, own_keys)
    store = Store(database)
    with store.transaction() as tx:
        tx.put_agent(agent(AGENT))
        tx.put_agent(agent(OTHER))
        done = tx.open_intent("run", operation(), highest_absence_id=0, at=NOW, before=SECRET)
        tx.close_intent(done.id, "done")
        tx.save_absences([absence(1, title=SECRET.decode())])
    write(store, 40)
    keys_directory = persons_directory(tmp_path / "etc" / "keys")
    key_file = keys_directory / f"agent-{AGENT}"
    content = own_keys.decrypt(key_file.read_bytes(), f"person key/{AGENT}")
    wrapped, inode = key_file.read_bytes(), key_file.stat().st_ino
    with database.read() as connection:
        of_agent = select(journal_content.c.before).join(journal).where(journal.c.agent_id == AGENT)
        sealed = list(connection.scalars(of_agent))
    backup = tmp_path / "backup"
    backup.mkdir()
    for file in path.parent.glob(f"{path.name}*"):
        shutil.copy(file, backup / file.name)
    other_link = tmp_path / "forgotten link"
    other_link.hardlink_to(key_file)
    assert other_link.stat().st_ino == inode

    erased(store)
    here = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
    there = b"".join(file.read_bytes() for file in backup.iterdir())
    held = b"".join(file.read_bytes() for file in (*keys_directory.iterdir(), other_link))
    for needle in (SECRET, content[8:], wrapped):  # the first eight are the key's id
        for form in _forms(needle):
            assert form not in here + there + held
    assert sealed[0] in there, "the copy of before does hold it, encrypted"
    assert not any(one in here for one in sealed), "here not even the encrypted form is left"
    assert store.verify_journal().findings == ()
    database.close()

    restored = open_database(backup / path.name, own_keys)
    old = Store(restored)
    assert {row.entry.before for row in old.journal(agent_id=AGENT, with_content=True)} == {None}
    assert {row.entry.before for row in old.journal(agent_id=OTHER, with_content=True)} == {SECRET}
    with pytest.raises(PersonKeyGone, match=f"agent {AGENT} was erased") as caught:
        old.agent_view(AGENT)
    assert f"journal erase {AGENT}" in caught.value.remedy
    verdict = old.verify_journal()
    assert (verdict.findings, verdict.unreadable) == ((), {AGENT: 20})
    with old.transaction() as tx:
        tx.erase_person(AGENT, at=NOW, by="dpo")  # though the restored database has them live
    assert old.agent(AGENT).state is AgentState.LEFT  # type: ignore[union-attr]
    assert old.agent_view(AGENT).absences == ()
    restored.close()


def test_only_who_has_left_is_erased(own: Store) -> None:
    write(own)
    with pytest.raises(NotErasable, match="has not left"), own.transaction() as tx:
        tx.erase_person(AGENT, at=NOW, by="dpo")
    with own.transaction() as tx:
        tx.open_intent("run", operation(), highest_absence_id=0, at=NOW, before=SECRET)
        tx.set_agent_state(AGENT, AgentState.LEFT)
    with pytest.raises(NotErasable, match="no outcome yet"), own.transaction() as tx:
        tx.erase_person(AGENT, at=NOW, by="dpo")
    assert own.keys.persons.has(AGENT)


def test_who_comes_back_gets_a_new_key(own: Store) -> None:
    write(own)
    erased(own)
    write(own, first=6)
    kept = [row.entry.before for row in own.journal(agent_id=AGENT, with_content=True)]
    assert kept == [SECRET] * 3 + [None] * 4
    assert own.verify_journal().is_whole


def test_a_process_at_work_does_not_go_on_with_a_key_that_another_one_erased(own: Store, tmp_path: Path) -> None:
    elsewhere = load_keys(tmp_path / "etc" / "keys")
    sealed = own.keys.encrypt_for(AGENT, SECRET, "t/c/1")
    assert elsewhere.decrypt_for(AGENT, sealed, "t/c/1") == SECRET
    elsewhere.persons.erase(AGENT, why="")
    with pytest.raises(PersonKeyGone):
        own.keys.decrypt_for(AGENT, sealed, "t/c/1")
    fresh = own.keys.encrypt_for(AGENT, SECRET, "t/c/1")
    assert elsewhere.decrypt_for(AGENT, fresh, "t/c/1") == SECRET


def test_an_erasure_that_is_rolled_back_can_be_done_again(own: Store) -> None:
    """The key is gone, and nothing says "erased" yet: what is left cannot be read."""
    write(own)
    with own.transaction() as tx:
        tx.set_agent_state(AGENT, AgentState.LEFT)

    def killed() -> None:
        with own.transaction() as tx:
            tx.erase_person(AGENT, at=NOW, by="dpo")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        killed()
    verdict = own.verify_journal()
    assert (verdict.findings, verdict.unreadable) == ((), {AGENT: 3})
    erased(own)
    assert own.verify_journal().unreadable == {}


# --- keys of persons -----------------------------------------------------------------------------------------


def test_a_persons_key_is_its_owners_alone_and_wrapped_by_the_key_file(own_keys: Keyring, tmp_path: Path) -> None:
    own_keys.encrypt_for(7, SECRET, "t/c/1")
    directory = persons_directory(tmp_path / "etc" / "keys")
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert [file.name for file in directory.iterdir()] == ["agent-7"]
    assert stat.S_IMODE((directory / "agent-7").stat().st_mode) == 0o600
    create_key_file(tmp_path / "stranger")
    shutil.copytree(directory, persons_directory(tmp_path / "stranger"), dirs_exist_ok=True)
    with pytest.raises(KeyFileProblem, match="does not fit the key file"):
        load_keys(tmp_path / "stranger").persons.has(7)


def test_one_persons_key_opens_nothing_of_another(own_keys: Keyring) -> None:
    sealed = own_keys.encrypt_for(7, SECRET, "t/c/1")
    own_keys.encrypt_for(8, SECRET, "t/c/1")
    with pytest.raises(PersonKeyGone):
        own_keys.decrypt_for(8, sealed, "t/c/1")
    assert own_keys.persons.digest(7, SECRET) != own_keys.persons.digest(8, SECRET) != own_keys.digest(SECRET)


@pytest.mark.parametrize("what", ["directory", "key", "mode"])
def test_keys_that_are_not_there_are_said_and_never_made_anew_in_silence(
    own_keys: Keyring, tmp_path: Path, what: str
) -> None:
    sealed = own_keys.encrypt_for(7, SECRET, "t/c/1")
    directory = persons_directory(tmp_path / "etc" / "keys")
    if what == "directory":
        directory.rename(tmp_path / "elsewhere")
        for work in (
            lambda: own_keys.encrypt_for(9, SECRET, "t/c/1"),
            lambda: own_keys.decrypt_for(7, sealed, "t/c/1"),
        ):
            with pytest.raises(KeyFileProblem, match="is not there") as caught:
                work()
        assert "Put it back" in caught.value.remedy
    elif what == "key":
        (directory / "agent-7").rename(tmp_path / "elsewhere")
        with pytest.raises(PersonKeyGone, match="is not in"):
            own_keys.decrypt_for(7, sealed, "t/c/1")
    else:
        (directory / "agent-7").chmod(0o640)
        with pytest.raises(KeyFileProblem, match="open to others"):
            load_keys(tmp_path / "etc" / "keys").decrypt_for(7, sealed, "t/c/1")


def test_two_processes_that_need_a_key_at_once_make_one(tmp_path: Path, own_keys: Keyring) -> None:
    others = [load_keys(tmp_path / "etc" / "keys") for _ in range(4)]
    sealed = [keys.encrypt_for(7, SECRET, "t/c/1") for keys in others]
    assert {own_keys.decrypt_for(7, one, "t/c/1") for one in sealed} == {SECRET}
