"""Small values for tests of the plan: one agent in Paris, Monday 1 June 2026, 08:00."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.records import (
    Absence,
    CalendarEvent,
    EventComponent,
    EventDraft,
    EventTime,
    Rdv,
    Recurrence,
    Transparency,
)
from gateway.rules.book import RuleBook
from gateway.sync.planning.context import PlanContext, title_digest
from gateway.sync.planning.mirrors import mirror_asked
from gateway.sync.values import (
    AgentState,
    AgentView,
    AgreedCopy,
    AgreedMirror,
    BlockOrigin,
    CalendarRef,
    LinkedAgent,
    PoolBlock,
    Presence,
    SeenAbsence,
    SeenEvent,
    SeenRdv,
)
from mappings.absence_event import absence_draft
from mappings.blocks import Provenance
from mappings.identity import Identity
from mappings.owned import notes_digest, owned_digest, owned_of_draft, times_digest
from mappings.rdv_event import CopyRules, rdv_draft
from mappings.times import times_of

PARIS = ZoneInfo("Europe/Paris")
AGENT = 7
KEY = b"k" * 32
IDENTITY = Identity(b"i" * 32, "test")
SOURCE = CalendarRef("account", "/agenda/")
NOW = datetime(2026, 6, 1, 6, 0, tzinfo=UTC)  # 08:00 in Paris
TAG = "Occupé · agenda"


def context(
    *, copies: dict[str, object] | None = None, blocks: dict[str, object] | None = None, **rules: object
) -> PlanContext:
    """`rules`: of agents (`AgentRules`)."""
    return PlanContext(
        now=NOW,
        rulebook=RuleBook.for_everybody(agent=rules, copies=copies, blocks=blocks),
        identity=IDENTITY,
        digest_key=KEY,
        default_zone=PARIS,
    )


def agent(**changes: object) -> LinkedAgent:
    base = LinkedAgent(AGENT, PARIS, (SOURCE,), SOURCE, AgentState.LIVE)
    return replace(base, **changes)  # type: ignore[arg-type]


def view(
    *,
    events: Iterable[SeenEvent] = (),
    rdvs: Iterable[SeenRdv] = (),
    absences: Iterable[SeenAbsence] = (),
    copies: Iterable[AgreedCopy] = (),
    blocks: Iterable[PoolBlock] = (),
    mirrors: Iterable[AgreedMirror] = (),
    **rest: object,
) -> AgentView:
    return AgentView(
        agent=rest.pop("agent", agent()),  # type: ignore[arg-type]
        events=tuple(events),
        rdvs=tuple(rdvs),
        absences=tuple(absences),
        copies=tuple(copies),
        blocks=tuple(blocks),
        mirrors=tuple(mirrors),
        **rest,  # type: ignore[arg-type]
    )


def wall(text: str) -> datetime:
    """ "2 09:30" is 2 June 2026 at 09:30, wall-clock."""
    day, clock = text.split()
    hour, minute = clock.split(":")
    return datetime(2026, 6, 1) + timedelta(days=int(day) - 1, hours=int(hour), minutes=int(minute))


def at(text: str) -> datetime:
    return wall(text).replace(tzinfo=PARIS)


def event(
    uid: str,
    start: EventTime | str,
    end: EventTime | str,
    *,
    rule: str = "",
    free: bool = False,
    ref: CalendarRef = SOURCE,
    href: str | None = None,
) -> SeenEvent:
    component = EventComponent(
        start=at(start) if isinstance(start, str) else start,
        end=at(end) if isinstance(end, str) else end,
        recurrence=Recurrence(rules=(rule,)) if rule else Recurrence(),
        transparency=Transparency.TRANSPARENT if free else Transparency.OPAQUE,
    )
    times = times_of(CalendarEvent(uid, (component,)))
    return SeenEvent(ref, href or f"/agenda/{uid}.ics", "v1", f"raw-{uid}", uid=uid, times=times)


def provenance(uid: str, recurrence_id: str = "") -> Provenance:
    return Provenance(str(SOURCE), f"/agenda/{uid}.ics", uid, recurrence_id)


def block(
    absence_id: int, start: str, end: str, *uids: str, origin: BlockOrigin = BlockOrigin.CREATED, approved: bool = True
) -> PoolBlock:
    sources = frozenset(provenance(uid) for uid in uids)
    return PoolBlock(absence_id, AGENT, wall(start), wall(end), sources, origin, approved=approved)


def absence(
    absence_id: int,
    start: str,
    end: str,
    *,
    title: str = "Congé",
    presence: Presence = Presence.PRESENT,
    rrule: str | None = None,
) -> SeenAbsence:
    return SeenAbsence(Absence(absence_id, AGENT, title, wall(start), wall(end), rrule), presence)


def held(pool: PoolBlock, start: str = "", end: str = "", presence: Presence = Presence.PRESENT) -> SeenAbsence:
    """What RDV-Solidarités holds of a block of ours: as agreed, or where a person put it."""
    times = (wall(start) if start else pool.start, wall(end) if end else pool.end)
    return SeenAbsence(Absence(pool.absence_id, AGENT, TAG, *times), presence)


def rdv(rdv_id: int = 1, start: str = "2 10:00", *, status: str = "unknown", agents: tuple[int, ...] = (AGENT,)) -> Rdv:
    begins = wall(start)
    return Rdv(
        id=rdv_id,
        uuid=f"uuid-{rdv_id}",
        status=status,
        starts_at=begins,
        ends_at=begins + timedelta(minutes=30),
        starts_at_server=begins.replace(tzinfo=PARIS).astimezone(UTC),
        time_zone=None,
        organisation_id=3,
        agent_ids=agents,
        motif_id=5,
        motif_name="Suivi RSA",
        service_id=2,
        location_type="public_office",
        collectif=False,
        url="https://rdv.example/1",
    )


def written(draft: EventDraft) -> SeenEvent:
    """An event of ours as seen after it was written, just as its draft asked."""
    owned = owned_of_draft(draft)
    component = EventComponent(start=draft.start, end=draft.end, recurrence=draft.recurrence)
    return SeenEvent(
        SOURCE,
        f"/agenda/{draft.uid}.ics",
        "v1",
        "raw",
        uid=draft.uid,
        marker=draft.marker,
        times=times_of(CalendarEvent(draft.uid, (component,))),
        owned_digest=owned_digest(KEY, owned),
        times_digest=times_digest(KEY, owned),
        title_digest=title_digest(KEY, owned.summary),
        notes_digest=notes_digest(KEY, owned),
    )


def copy_of(source: Rdv) -> tuple[AgreedCopy, SeenEvent]:
    """An agreed copy and the event that it is, both as last written."""
    ctx = context()
    draft = rdv_draft(source, AGENT, PARIS, CopyRules(), IDENTITY)
    owned = owned_of_draft(draft)
    href = f"/agenda/{draft.uid}.ics"
    agreed = AgreedCopy(
        rdv_id=source.id,
        agent_id=AGENT,
        ref=SOURCE,
        href=href,
        uid=draft.uid,
        asked_digest=ctx.asked(draft),
        owned_digest=owned_digest(KEY, owned),
        notes_digest=notes_digest(KEY, owned),
        ends_at=draft.end,  # type: ignore[arg-type]
    )
    return agreed, written(draft)


def mirror_of(source: SeenAbsence) -> tuple[AgreedMirror, SeenEvent]:
    """An agreed mirror of an absence, and the event that it is, both as last written."""
    ctx = context()
    draft = absence_draft(source.absence, PARIS, IDENTITY)
    seen = written(draft)
    agreed = AgreedMirror(
        absence_id=source.absence.id,
        agent_id=AGENT,
        ref=SOURCE,
        href=seen.href,
        uid=draft.uid,
        start=source.absence.start,
        end=source.absence.end,
        recurring=bool(source.absence.rrule),
        asked_digest=mirror_asked(ctx, draft),
        title_digest=seen.title_digest,
        times_digest=seen.times_digest,
    )
    return agreed, seen


def moved(seen: SeenEvent, start: str, end: str) -> SeenEvent:
    """The same event after a person moved it."""
    component = EventComponent(start=at(start), end=at(end))
    return replace(
        seen,
        version="v2",
        times=times_of(CalendarEvent(seen.uid, (component,))),
        owned_digest=f"edited {start}",
        times_digest=f"edited {start}",
    )
