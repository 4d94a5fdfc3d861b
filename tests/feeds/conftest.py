"""Feeds over a store in each kind of database."""

from __future__ import annotations

from tests.store.conftest import database, keys, path, store, url

__all__ = ["database", "keys", "path", "store", "url"]
