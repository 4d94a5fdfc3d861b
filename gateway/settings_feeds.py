"""`[feeds]` of the configuration: what usagers may see in a feed, and how long links live."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from gateway.settings_parts import Section
from mappings.feed_entries import MotifList


def _motif_name(value: str) -> str:
    if not value.strip():
        raise ValueError("expected the id of a motif, or its name")
    return value


MotifName = Annotated[str, AfterValidator(_motif_name)]
Phone = Annotated[str, Field(pattern=r"^\+?[0-9][0-9 ().-]{1,28}$")]


class FeedsSection(Section):
    """`motifs`: ids or names of those that an usager's feed may hold; none by default. `phone`, `phones` (by id of the
    organisation): whom to call. `past_days`, `future_days`: the window of new links."""

    motifs: tuple[int | MotifName, ...] = ()
    phone: Phone | None = None
    phones: dict[int, Phone] = Field(default_factory=dict)
    past_days: int = Field(default=30, ge=0, le=366)
    future_days: int = Field(default=365, ge=1, le=1830)
    cancelled_days: int = Field(default=14, ge=0, le=366)
    valid_days: int = Field(default=180, ge=1, le=3650)
    grace_days: int = Field(default=30, ge=0, le=366)
    refresh_minutes: int = Field(default=60, ge=5, le=1440)
    per_link_per_minute: int = Field(default=60, ge=1, le=100_000)
    unknown_per_minute: int = Field(default=30, ge=1, le=100_000)

    def to_motifs(self) -> MotifList:
        """The same choice as the entries are made by."""
        ids = frozenset(each for each in self.motifs if isinstance(each, int))
        return MotifList(ids, frozenset(each for each in self.motifs if isinstance(each, str)))

    def phone_of(self, organisation_id: int | None) -> str:
        """Whom to call about an organisation's RDVs; "" where nobody is named."""
        return self.phones.get(organisation_id or 0, self.phone or "")

    @property
    def grace(self) -> timedelta:
        """How long a closed link answers with an empty calendar, and a rotated one with its feed."""
        return timedelta(days=self.grace_days)

    @property
    def validity(self) -> timedelta:
        """How long a link is valid after it was made, and after the last RDV that it shows."""
        return timedelta(days=self.valid_days)
