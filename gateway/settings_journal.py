"""How long the journal is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from gateway.settings_parts import Section


class JournalSection(Section):
    """Pre-images, which are personal, are kept for a year; entries, which hold ids, for good unless it is said."""

    keep_content_days: int = Field(default=365, ge=1, le=3650)
    keep_entries_days: int | None = Field(default=None, ge=1, le=36500)

    @model_validator(mode="after")
    def _entries_outlive_content(self) -> Self:
        if self.keep_entries_days is not None and self.keep_entries_days < self.keep_content_days:
            raise ValueError(
                "keep_entries_days must not be less than keep_content_days: an entry goes with its content"
            )
        return self

    @property
    def content_age(self) -> timedelta:
        """After which pre-images are purged."""
        return timedelta(days=self.keep_content_days)

    @property
    def entries_age(self) -> timedelta | None:
        """After which entries are removed; None: never."""
        return None if self.keep_entries_days is None else timedelta(days=self.keep_entries_days)
