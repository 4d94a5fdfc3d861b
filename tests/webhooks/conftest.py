"""Keys of the tests of webhooks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.keys import Keyring, create_key_file, load_keys
from tests.webhooks.listener import Listener


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    path = tmp_path_factory.mktemp("keys") / "keys.toml"
    create_key_file(path)
    return load_keys(path)


@pytest.fixture
def listener(tmp_path: Path, sqlite_template: Path, keys: Keyring) -> Iterator[Listener]:
    """Routes on a socket, for agent 12; nothing is applied unless it is asked for."""
    with Listener(tmp_path, sqlite_template, keys, agents=(12,)) as made:
        yield made
