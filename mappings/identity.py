"""Recognition of what is ours: a name and a marker that only this installation can have made.

An event of ours carries two keyed digests: its UID (of what it stands for) and a marker property (of the UID and
the origin). The agent's own copy of such an event has another UID, or a marker that does not fit: it is theirs,
and it blocks. Absences have no field for a marker, so theirs is a constant tag in the title.
"""

from __future__ import annotations

import hmac
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

NAMESPACE = "rdvgw-"
"""How every UID of ours begins."""

_MASK = "Occupé"
_TAG_END = " · agenda"

ABSENCE_TAG = _MASK + _TAG_END
"""Title of an absence that the gateway writes for a calendar's busy time: says nothing, and is recognised."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Makes the UIDs and markers of one installation. `instance` names the RDV-Solidarités it talks to.

    The key never leaves the installation: without it nobody can tell which RDV a UID stands for, nor forge one.
    """

    key: bytes = field(repr=False)
    instance: str

    def copy_uid(self, rdv_id: int, agent_id: int) -> str:
        """UID, and file name, of the copy of an RDV in one agent's calendar."""
        return self._uid("rdv", rdv_id, agent_id)

    def copy_marker(self, rdv_id: int, agent_id: int) -> str:
        """Marker that belongs to `copy_uid` of the same RDV and agent."""
        return self._digest("marker", self.copy_uid(rdv_id, agent_id), f"rdv:{self.instance}:{rdv_id}:{agent_id}")

    def mirror_uid(self, absence_id: int, agent_id: int) -> str:
        """UID, and file name, of the event that mirrors an absence."""
        return self._uid("absence", absence_id, agent_id)

    def mirror_marker(self, absence_id: int, agent_id: int) -> str:
        """Marker that belongs to `mirror_uid` of the same absence and agent."""
        return self._digest("marker", self.mirror_uid(absence_id, agent_id), f"absence:{self.instance}:{absence_id}")

    def feed_uid(self, kind: str, origin_id: int) -> str:
        """UID of a thing in feeds: the same in every feed that holds it."""
        return NAMESPACE + self._digest("feed", self.instance, kind, origin_id)[:32]

    def _uid(self, kind: str, origin_id: int, agent_id: int) -> str:
        return NAMESPACE + self._digest("uid", self.instance, kind, origin_id, agent_id)[:32]

    def _digest(self, *parts: str | int) -> str:
        return hmac.digest(self.key, json.dumps(parts).encode(), "sha256").hex()


class Kinship(StrEnum):
    """What an event in an agent's calendar is to us."""

    THEIRS = "theirs"
    COPY = "copy"  # our copy of an RDV
    MIRROR = "mirror"  # our mirror of an absence
    ORPHAN = "orphan"  # in our namespace, but of nothing that we know: adopted or held, never exported


@dataclass(frozen=True, slots=True)
class Recognised:
    """`id`: of the RDV (COPY) or of the absence (MIRROR), else None."""

    kinship: Kinship
    id: int | None = None


def recognise(uid: str, marker: str | None, candidates: Mapping[str, tuple[Kinship, int, str]]) -> Recognised:
    """What the event with this UID and marker is. `candidates`: UID -> (COPY or MIRROR, id, expected marker).

    A marker that does not fit its UID is a copy that the agent made. No marker at all under a UID that we know is
    ours: servers and clients drop properties they do not know, and our copy must not turn into busy time.
    """
    if not uid.startswith(NAMESPACE):
        return Recognised(Kinship.THEIRS)
    if uid not in candidates:
        return Recognised(Kinship.ORPHAN)
    kinship, origin_id, expected = candidates[uid]
    if marker and not hmac.compare_digest(marker.strip().encode(), expected.encode()):
        return Recognised(Kinship.THEIRS)
    return Recognised(kinship, origin_id)


def absence_title(label: str) -> str:
    """Title of the absence of a block: the tag, under which a label of the configuration may stand for the mask."""
    return (" ".join(label.split()) or _MASK) + _TAG_END


def is_tagged(title: str) -> bool:
    """Whether an absence's title is our tag, whatever its label, give or take spaces around it and its Unicode form."""
    return _plain(title).endswith(_TAG_END)


def label_of(title: str) -> str:
    """The label in a title that `is_tagged`; "" masked."""
    label = _plain(title).removesuffix(_TAG_END).strip()
    return "" if label == _MASK else label


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip()
