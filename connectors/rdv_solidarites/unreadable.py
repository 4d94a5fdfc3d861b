"""One record that cannot be read: set aside by listings, which go on."""

from __future__ import annotations


class Unreadable(ValueError):
    """Says which field and what is wrong with it, never its value: values may be personal."""
