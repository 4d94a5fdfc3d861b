"""The key file and what the keys do."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import Addressee
from gateway.keys import KeyFileProblem, Keyring, Undecipherable, create_key_file, load_keys, persons_directory


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A new key file."""
    path = tmp_path / "etc" / "gateway" / "keys.toml"
    create_key_file(path)
    return path


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    path = tmp_path_factory.mktemp("keys") / "keys.toml"
    create_key_file(path)
    return load_keys(path)


def test_only_its_owner_may_read_a_new_key_file(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_key_file_is_never_overwritten_and_no_draft_stays(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(KeyFileProblem, match="exists already"):
        create_key_file(path)
    assert path.read_bytes() == before
    assert set(path.parent.iterdir()) == {path, persons_directory(path)}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o777])
def test_a_key_file_open_to_others_is_refused_and_the_remedy_says_chmod(path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(KeyFileProblem) as caught:
        load_keys(path)
    assert caught.value.remedy == f"Run `chmod 600 {path}`."
    assert caught.value.addressee is Addressee.IT


def test_a_missing_key_file_is_for_it_to_put_back(tmp_path: Path) -> None:
    with pytest.raises(KeyFileProblem, match="cannot be read: No such file"):
        load_keys(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"^instance = .*$", ""),
        (r"^instance = .*$", "instance = 3"),
        (r"^identity_root = .*$", 'identity_root = "c2hvcnQ="'),
        (r"^digest_root = .*$", "digest_root = 1"),
        (r"^digest_root = .*$", 'digest_root = "not base64 at all"'),
        (r"^id = .*$", 'id = "zz"'),
        (r"^id = .*$", "id = 12"),
        (r"^key = .*$", 'key = "AAAA"'),
        (r"^\[\[encryption\]\]$", "[encryption]"),
        (r"^\[\[encryption\]\]$", "[["),
        (r"(?s)^\[\[encryption\]\].*", "encryption = []"),
        (r"(?s)^\[\[encryption\]\].*", "encryption = [1]"),
    ],
)
def test_a_damaged_key_file_is_refused_without_showing_any_of_it(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    secrets = re.findall(r'"([^"]+)"', text)
    damaged, count = re.subn(old, new, text, flags=re.MULTILINE)
    assert count == 1
    path.write_text(damaged)
    with pytest.raises(KeyFileProblem, match="not a key file, or is damaged") as caught:
        load_keys(path)
    assert not any(secret in str(caught.value) for secret in secrets)
    assert caught.value.__suppress_context__


def test_two_key_files_share_nothing(path: Path, keys: Keyring) -> None:
    other = load_keys(path)
    assert other.instance_id != keys.instance_id
    assert len({keys.digest_key, keys.identity_key, other.digest_key, other.identity_key}) == 4
    with pytest.raises(Undecipherable, match="a key that the key file does not hold"):
        other.decrypt(keys.encrypt(b"x", "t/c/1"), "t/c/1")


def test_loading_again_gives_the_same_keys(path: Path) -> None:
    one, two = load_keys(path), load_keys(path)
    assert (one.instance_id, one.digest_key, one.identity_key) == (two.instance_id, two.digest_key, two.identity_key)
    assert two.decrypt(one.encrypt(b"text", "t/c/1"), "t/c/1") == b"text"
    assert one.digest(b"text") == two.digest(b"text")


def test_digest_and_identity_keys_do_not_change_with_the_encryption_key(path: Path) -> None:
    """A key replaced: what it encrypted is still read, the new one encrypts, names and digests stay."""
    before = load_keys(path)
    old = before.encrypt(b"old", "t/c/1")
    text = path.read_text()
    head, entry = text.split("[[encryption]]")
    fresh = '[[encryption]]\nid = "00112233445566ff"\nkey = "' + "A" * 43 + '="\n'
    path.write_text(head + fresh + "[[encryption]]" + entry)
    after = load_keys(path)
    assert after.decrypt(old, "t/c/1") == b"old"
    assert (after.digest_key, after.identity_key) == (before.digest_key, before.identity_key)
    new = after.encrypt(b"new", "t/c/1")
    path.write_text(head + fresh)
    only_new = load_keys(path)
    assert only_new.decrypt(new, "t/c/1") == b"new"
    with pytest.raises(Undecipherable):
        only_new.decrypt(old, "t/c/1")


def test_the_same_key_id_twice_is_refused(path: Path) -> None:
    text = path.read_text()
    path.write_text(text + "[[encryption]]" + text.split("[[encryption]]")[1])
    with pytest.raises(KeyFileProblem):
        load_keys(path)


@given(data=st.binary(max_size=300), context=st.text(max_size=40))
def test_what_is_encrypted_comes_back_under_its_context(keys: Keyring, data: bytes, context: str) -> None:
    assert keys.decrypt(keys.encrypt(data, context), context) == data


def test_equal_texts_do_not_encrypt_to_equal_values(keys: Keyring) -> None:
    assert keys.encrypt(b"Dentiste", "t/c/1") != keys.encrypt(b"Dentiste", "t/c/1")


def test_a_value_moved_to_another_place_is_refused(keys: Keyring) -> None:
    with pytest.raises(Undecipherable, match="moved from another place"):
        keys.decrypt(keys.encrypt(b"of agent 1", "absence/title/1"), "absence/title/2")


@given(position=st.integers(min_value=0), flip=st.integers(min_value=1, max_value=255))
def test_a_value_with_any_byte_altered_is_refused(keys: Keyring, position: int, flip: int) -> None:
    sealed = bytearray(keys.encrypt(b"some content", "t/c/1"))
    sealed[position % len(sealed)] ^= flip
    with pytest.raises(Undecipherable):
        keys.decrypt(bytes(sealed), "t/c/1")


@given(data=st.binary(max_size=60))
def test_what_was_never_encrypted_is_refused(keys: Keyring, data: bytes) -> None:
    with pytest.raises(Undecipherable):
        keys.decrypt(data, "t/c/1")


def test_a_keyring_shows_nothing(keys: Keyring) -> None:
    assert repr(keys) == f"{keys}" == "Keyring(…)"


def test_a_digest_depends_on_the_key_and_on_all_of_the_data(path: Path, keys: Keyring) -> None:
    assert keys.digest(b"a") == keys.digest(b"a")
    assert len({keys.digest(b"a"), keys.digest(b"b"), load_keys(path).digest(b"a")}) == 3
    assert re.fullmatch("[0-9a-f]{64}", keys.digest(b"a"))
