"""observe, RDV-Solidarités side: once for all agents. What belongs to nobody enrolled is dropped at the door.

The disappearance of a thing is believed only when proven: an absence by a 404 on its own id; an RDV by two
readings of its time in which its organisation answered, nobody vanished from the agent list since it was last
seen, and another RDV of its service was read. Lost rights look like emptied lists.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from connectors.errors import BadItem, ConnectorError, ITMustAct, RightsMissing
from connectors.ports import Clock, RdvSolidarites
from connectors.records import Absence, AbsenceListing, Agent, Organisation, Rdv, RdvListing, RdvSelection, RdvWindow
from gateway.store.changes import ChangeCounts
from gateway.store.last_word import Said, Thing
from gateway.store.observed import absence_title_digest
from gateway.store.store import Store
from gateway.store.transaction import Transaction
from gateway.store.values import ObservedAbsence, ObservedRdv, OrganisationState, StoredWindow
from gateway.sync.guard.signs import Numbered, rdvs_restored
from gateway.sync.lost_webhooks import note_found_first
from gateway.sync.observed_changes import note_changes
from gateway.sync.order import MARGIN
from gateway.sync.steps import StepName, step
from gateway.sync.values import Presence, Problem, Side, Sign

_SYSTEM = "rdv_solidarites"
_Change = tuple[int, str, int | None]  # which thing, what befell it, whose it is
ZONE_DOUBT = timedelta(hours=12)
"""An overseas RDV's start, as the server compares it, may be off by this much (API facts, 5.5)."""
EVERYWHERE = 0
"""The agent list is read for all organisations at once: its state is kept under this id."""
_PROBES = 3
_FEW = 25


@dataclass(frozen=True, slots=True)
class RdvSolidaritesReading:
    """What a reading settled. `absences_proven_at`: when the listing was asked for, None if it was not complete.

    `unreadable_absences`: ids that the listing held, and of which it is not known what they are. `visible_agents`: ids
    in the agent list. `complete`: nothing that was due could not be read. `sign`: that RDV-Solidarités as a whole looks
    restored from a backup. `touched`: agents of whom something is not as it was at the reading before. `asked_at`: when
    its first request was sent. `counts`: of changes, as a run that goes by it began.
    """

    visible_agents: frozenset[int]
    absences_proven_at: datetime | None
    problems: tuple[Problem, ...]
    complete: bool
    sign: Sign | None = None
    unreadable_absences: frozenset[int] = frozenset()
    touched: frozenset[int] = frozenset()
    asked_at: datetime | None = None
    counts: ChangeCounts = field(default_factory=ChangeCounts)


@dataclass(frozen=True, slots=True)
class ReadingSettings:
    """How far and how often. `backfill_from`: None = 1 January of the current year. `selection`: what the client lets
    through of usagers."""

    horizon_days: int
    backfill_from: date | None
    far_interval: timedelta
    selection: RdvSelection


@dataclass(slots=True)
class RdvSolidaritesObserver:
    """Reads RDV-Solidarités into the store for the agents whose ids are given."""

    client: RdvSolidarites
    store: Store
    clock: Clock
    settings: ReadingSettings
    digest_key: bytes = field(repr=False)
    run_id: str = ""
    _touched: set[int] = field(default_factory=set)

    def read(self, enrolled: Collection[int]) -> RdvSolidaritesReading:
        """One reading. Raises `ConnectorError` when even organisations, agents or absences cannot be read."""
        asked_at = self.clock.now()
        with step(StepName.READ_DIRECTORY, _SYSTEM) as counts:
            organisations, agents = self._directory()
            counts.update(organisations=len(organisations), agents=len(agents))
        visible = frozenset(agent.id for agent in agents)
        epoch = self._note_organisations(organisations, visible)
        with self.store.transaction() as tx:
            tx.keep_selection(self.settings.selection)
        problems = list(self._lost_organisations(organisations))
        with step(StepName.READ_ABSENCES, _SYSTEM) as counts:
            listing = self.client.absences()
            counts["absences"] = len(listing.absences)
            self._absences(listing, enrolled, visible, problems)
        proven_at = listing.requested_at if listing.complete else None
        unreadable = frozenset(number for number, _ in listing.unreadable)
        complete = proven_at is not None
        for organisation in organisations:
            try:
                with step(StepName.READ_RDVS, _SYSTEM) as counts:
                    complete &= self._rdvs(organisation, enrolled, epoch, counts)
            except ConnectorError as error:
                problems.append(problem_of(error, None, f"organisation {organisation.id}"))
                complete = False
        sign = (
            rdvs_restored(self._numbered_absences(listing), self._numbered_rdvs(organisations)) if proven_at else None
        )
        touched = frozenset(self._touched) & frozenset(enrolled)
        return RdvSolidaritesReading(
            visible, proven_at, tuple(problems), complete, sign, unreadable, touched=touched, asked_at=asked_at
        )

    def _directory(self) -> tuple[tuple[Organisation, ...], tuple[Agent, ...]]:
        organisations = self.client.organisations()
        if not organisations:
            raise ITMustAct(
                "no organisation is visible to the service account any more",
                system=_SYSTEM,
                remedy="Give the service account its roles back; nothing was judged gone meanwhile.",
            )
        return organisations, self.client.agents()

    # --- organisations and agents ----------------------------------------------------------------------------

    def _note_organisations(self, organisations: Iterable[Organisation], visible: frozenset[int]) -> int:
        """Remember who is visible. The epoch moves when somebody vanished: newcomers weaken no proof."""
        states = self.store.organisation_states()
        before = states.get(EVERYWHERE)
        epoch = before.agents_epoch if before else 0
        if before and before.agent_ids - visible:
            epoch += 1
        now = [OrganisationState(EVERYWHERE, "", visible, epoch)]
        now += [OrganisationState(each.id, each.name, frozenset(), 0) for each in organisations]
        changed = [state for state in now if states.get(state.id) != state]
        if changed:
            with self.store.transaction() as tx:
                tx.save_organisations(changed)
        return epoch

    def _lost_organisations(self, organisations: Iterable[Organisation]) -> Iterable[Problem]:
        answered = {each.id for each in organisations} | {EVERYWHERE}
        for lost in sorted(self.store.organisation_states().keys() - answered):
            error = RightsMissing(f"organisation {lost} is no longer visible to the service account", system=_SYSTEM)
            yield problem_of(error, None)

    # --- absences --------------------------------------------------------------------------------------------

    def _absences(
        self,
        listing: AbsenceListing,
        enrolled: Collection[int],
        visible: Collection[int],
        problems: list[Problem],
    ) -> None:
        known = self.store.observed_absences()
        with self.store.transaction() as tx:
            later, unjudged = _later(tx, Thing.ABSENCE, listing.requested_at)
            ours = [each for each in listing.absences if each.agent_id in enrolled and each.id not in later]
            changes = self._absence_changes(ours, known)
            self._touched.update(agent_id for _, _, agent_id in changes if agent_id is not None)
            tx.save_absences(ours)
            tx.notice_absences([number for number, _ in listing.unreadable])
            if listing.complete:
                tx.words.put_absences_read_at(listing.requested_at)
            else:
                _note_as_of(tx, Thing.ABSENCE, (number for number, _, _ in changes), listing.requested_at)
            self._note(tx, Thing.ABSENCE, changes)
        problems += [
            problem_of(BadItem(f"absence {number} cannot be read: {reason}", system=_SYSTEM), None)
            for number, reason in listing.unreadable
        ]
        if not listing.complete:
            problems.append(
                Problem(
                    None,
                    _SYSTEM,
                    "the list of absences changed while it was read: nothing is judged gone from it alone",
                    "nobody",
                    "Nothing: the next run reads it again.",
                )
            )
        listed = {absence.id for absence in listing.absences} | {number for number, _ in listing.unreadable}
        # One whose event is being made is not mapped yet, and must be known when that is settled.
        awaited = {intent.operation.absence_id for intent in self.store.open_intents()} - {None}
        mapped = self.store.mapped_absence_ids() | awaited
        missing = [each for each in known.values() if each.id not in listed and each.id not in unjudged]
        if listing.complete:
            with self.store.transaction() as tx:
                tx.forget_absences([each.id for each in missing if each.id not in mapped])
        doubtful = [each for each in missing if each.id in mapped and each.presence is not Presence.GONE]
        # Each is asked for by its own id, so that even a list with gaps serves, as long as they are few.
        if listing.complete or len(doubtful) <= _FEW:
            self._prove_absences(sorted(doubtful, key=lambda each: each.id), visible)

    def _prove_absences(self, doubtful: Iterable[ObservedAbsence], visible: Collection[int]) -> None:
        """Ask for each absence that a complete list no longer holds: 404 = gone, 403 = rights, else it is there.

        Rights are lost agent by agent: one refusal speaks for all absences of its agent, and says nothing of others.
        When the first few are all refused, rights were lost at large, and more questions would teach nothing.
        """
        hidden: set[int] = set()  # agents whose absences the service account may not see
        answered = False
        for each in doubtful:
            asked_at = self.clock.now()
            because, found, gone = "the service account may not see this absence any more", None, False
            lost_at_large = len(hidden) >= _PROBES and not answered
            if each.agent_id in visible and each.agent_id not in hidden and not lost_at_large:
                try:
                    found = self.client.absence(each.id)
                    gone, answered = found is None, True
                except RightsMissing:
                    hidden.add(each.agent_id)
                except ConnectorError as error:
                    because = str(error)
            with self.store.transaction() as tx:
                if each.id in tx.words.said_after(Thing.ABSENCE, asked_at):
                    continue
                if found is not None:
                    tx.save_absences([found])
                else:
                    tx.save_absence_presence(each.id, Presence.GONE if gone else Presence.UNKNOWN, because)
                if (found is None) != (each.presence is Presence.GONE):
                    self._touched.add(each.agent_id)
                if gone:
                    self._note(tx, Thing.ABSENCE, [(each.id, "vanished", None)])

    def _numbered_absences(self, listing: AbsenceListing) -> Numbered:
        """Of those in a pool or mirrored: the ones proven gone. All others that are known or listed are there."""
        mapped = self.store.mapped_absence_ids() - self._told_gone(Thing.ABSENCE)
        known = self.store.observed_absences().values()
        gone = {each.id: each.agent_id for each in known if each.id in mapped and each.presence is Presence.GONE}
        there = {each.id for each in known if each.presence is not Presence.GONE} | {
            each.id for each in listing.absences
        }
        return Numbered(gone, there - gone.keys())

    def _numbered_rdvs(self, organisations: Iterable[Organisation]) -> Numbered:
        """Those that have copies and are read no more, proven gone or not yet; and those that are."""
        copied = self.store.copied_rdv_ids() - self._told_gone(Thing.RDV)
        gone: dict[int, int] = {}
        there: set[int] = set()
        for organisation in organisations:
            for each in self.store.observed_rdvs(organisation.id):
                if each.missing_readings or each.presence is not Presence.PRESENT:
                    if each.id in copied:
                        gone[each.id] = organisation.id
                else:
                    there.add(each.id)
        return Numbered(gone, there)

    def _told_gone(self, thing: Thing) -> frozenset[int]:
        """A server that is set back to a copy tells of nothing: what it told of was removed by a person."""
        with self.store.words() as words:
            return words.told_gone(thing)

    # --- RDVs ------------------------------------------------------------------------------------------------

    def _rdvs(self, organisation: Organisation, enrolled: Collection[int], epoch: int, counts: Counter[str]) -> bool:
        """Read the windows of one organisation that are due. False when one could not be read to its end."""
        stored = self.store.rdv_windows(organisation.id)
        observed = self.store.observed_rdvs(organisation.id)
        wanted = self._due(stored, observed)
        listing = self.client.rdvs(organisation.id, wanted)
        counts.update(organisation=organisation.id, windows=len(wanted), rdvs=len(listing.rdvs))
        unread = [window for window in wanted if not covers(listing.windows, window.start, window.end)]
        done = [window for window in wanted if window not in unread]
        read = tuple(
            StoredWindow(window.start, window.end, listing.requested_at)
            for window in listing.windows
            if _inside(window, done)
        )
        kept = tuple(each for each in stored if not _inside(each, done))
        # One whose copy is being made has none yet, and must be known when that is settled.
        awaited = {number for each in self.store.open_intents() if (number := each.operation.rdv_id) is not None}
        copied = self.store.copied_rdv_ids() | awaited
        known = {each.id: each for each in observed}
        with self.store.feeds() as feeds:
            fed = feeds.wanted(listing.rdvs)
        ours = [
            rdv
            for rdv in listing.rdvs
            if rdv.id in copied or rdv.id in known or rdv.id in fed or any(each in enrolled for each in rdv.agent_ids)
        ]
        digests = {rdv.id: self._digest(rdv) for rdv in ours}
        news = [rdv for rdv in ours if _is_news(known.get(rdv.id), digests[rdv.id], epoch)]
        for rdv in news:
            before = known.get(rdv.id)
            if before is None or before.digest != digests[rdv.id] or before.presence is not Presence.PRESENT:
                self._touched.update(rdv.agent_ids, before.agent_ids if before is not None else ())
        with self.store.transaction() as tx:
            later, unjudged = _later(tx, Thing.RDV, listing.requested_at)
            news = [rdv for rdv in news if rdv.id not in later]
            if news:
                tx.save_rdvs(news, digests=digests, agents_epoch=epoch, read_at=listing.requested_at)
                self._note(tx, Thing.RDV, _rdv_changes(news, known, digests) if stored else (), organisation.id)
                if unread:
                    _note_as_of(tx, Thing.RDV, (rdv.id for rdv in news), listing.requested_at)
            judged = [each for each in observed if each.id not in unjudged]
            self._judge_missing(tx, judged, listing, copied, epoch, everything_read=not kept and not unread)
            tx.save_rdv_windows(organisation.id, (*kept, *read))
        return not unread

    def _due(self, stored: tuple[StoredWindow, ...], observed: Iterable[ObservedRdv]) -> tuple[RdvWindow, ...]:
        """Near windows every time; from time to time everything, as one window that splits as needed.

        Everything too, as it was split before, when an RDV is missing: it may have moved out of the near windows.
        """
        now = self.clock.now()
        today = datetime.combine(now.date(), time.min, tzinfo=now.tzinfo)
        if not stored or any(
            not timedelta(0) <= now - window.read_at < self.settings.far_interval for window in stored
        ):
            return (whole_period(now, self.settings.backfill_from),)
        searching = any(each.presence is Presence.UNKNOWN and not each.missing_because for each in observed)
        near_start = today - timedelta(days=1) - ZONE_DOUBT
        near_end = today + timedelta(days=self.settings.horizon_days + 1) + ZONE_DOUBT
        return tuple(
            RdvWindow(window.start, window.end)
            for window in stored
            if searching or (window.start <= near_end and window.end >= near_start)
        )

    def _judge_missing(
        self,
        tx: Transaction,
        observed: Iterable[ObservedRdv],
        listing: RdvListing,
        copied: Collection[int],
        epoch: int,
        *,
        everything_read: bool,
    ) -> None:
        present = {rdv.id for rdv in listing.rdvs} | {number for number, _ in listing.unreadable}
        services = {rdv.service_id for rdv in listing.rdvs}
        for each in observed:
            if each.presence is Presence.GONE and each.id not in copied:
                tx.forget_rdvs([each.id])  # its copies are removed: nothing is left to decide
            start = each.starts_at_server
            if (
                each.id in present
                or each.presence is Presence.GONE
                or not covers(listing.windows, start - ZONE_DOUBT, start + ZONE_DOUBT)
            ):
                continue
            because = _why_not_believed(each, services, epoch)
            if because:
                tx.save_rdv_missing(each.id, readings=each.missing_readings, presence=Presence.UNKNOWN, because=because)
                if because != each.missing_because:
                    self._note(tx, Thing.RDV, [(each.id, "no_longer_read", None)], listing.organisation_id)
                continue
            readings = each.missing_readings + 1
            self._touched.update(each.agent_ids)
            if readings < 2 or not everything_read:
                tx.save_rdv_missing(each.id, readings=readings, presence=Presence.UNKNOWN, because="")
            elif each.id in copied:
                tx.save_rdv_missing(each.id, readings=readings, presence=Presence.GONE, because="")
                self._note(tx, Thing.RDV, [(each.id, "vanished", None)], listing.organisation_id)
            else:
                tx.forget_rdvs([each.id])

    def _absence_changes(self, listed: Iterable[Absence], known: Mapping[int, ObservedAbsence]) -> list[_Change]:
        """What persons did to absences since the last reading; our own writes are known by then."""
        if not known:
            return []
        changes: list[_Change] = []
        for absence in listed:
            before = known.get(absence.id)
            if before is None:
                changes.append((absence.id, "appeared", absence.agent_id))
            elif not absence_is(before, absence, self.digest_key):
                changes.append((absence.id, "changed", absence.agent_id))
        return changes

    def _note(
        self, tx: Transaction, thing: Thing, changes: Iterable[_Change], organisation_id: int | None = None
    ) -> None:
        """Write down what is not as it was, and wait for the webhooks that should have told of it."""
        now = self.clock.now()
        changes = list(changes)
        named = [(f"{thing.value} {number}", rule, agent_id) for number, rule, agent_id in changes]
        note_changes(tx, named, side=Side.RDV_SOLIDARITES, kind=thing.value, at=now, run_id=self.run_id)
        told = {number: organisation_id for number, rule, _ in changes if rule != "no_longer_read"}
        note_found_first(tx, thing, told, at=now)

    def _digest(self, rdv: Rdv) -> str:
        return rdv_digest(self.digest_key, rdv)


def _later(tx: Transaction, thing: Thing, asked_at: datetime) -> tuple[Collection[int], Collection[int]]:
    """Things on which something later was said than a listing that was asked for at `asked_at`; and those that it
    proves nothing against if it lacks them."""
    recent = tx.words.said_after(thing, asked_at - MARGIN)
    later = {number for number, said in recent.items() if said.at > asked_at}
    return later, later | {number for number, said in recent.items() if not said.by_us and not said.gone}


def _note_as_of(tx: Transaction, thing: Thing, numbers: Iterable[int], asked_at: datetime) -> None:
    """A listing that is not whole leaves no moment for all it could have held: then each thing says how new it is."""
    tx.words.put_said(thing, dict.fromkeys(numbers, Said(asked_at, by_us=False, gone=False)))


def whole_period(now: datetime, backfill_from: date | None) -> RdvWindow:
    """Everything that RDVs are read for. `backfill_from`: None = 1 January of the current year."""
    first = backfill_from or date(now.year, 1, 1)
    today = datetime.combine(now.date(), time.min, tzinfo=now.tzinfo)
    return RdvWindow(datetime.combine(first, time.min, tzinfo=now.tzinfo) - ZONE_DOUBT, today + timedelta(days=5 * 366))


def absence_is(held: ObservedAbsence, absence: Absence, key: bytes) -> bool:
    """Whether an absence is as it is held. `key`: of digests."""
    now = (absence.start, absence.end, absence.rrule, absence_title_digest(key, absence.title))
    return now == (held.start, held.end, held.rrule, held.title_digest)


def rdv_digest(key: bytes, rdv: Rdv) -> str:
    """Keyed digest of the whole record: equal for equal records."""
    return hmac.new(key, repr(_all_fields(rdv)).encode(), hashlib.sha256).hexdigest()


def _all_fields(rdv: Rdv) -> tuple[object, ...]:
    """Every field by name, those hidden from `repr` too."""
    return tuple(getattr(rdv, name) for name in Rdv.__dataclass_fields__ if name != "participations") + tuple(
        (each.id, each.status, each.usager_id, each.usager, each.responsible_id, each.notified)
        for each in rdv.participations
    )


def _rdv_changes(news: Iterable[Rdv], known: Mapping[int, ObservedRdv], digests: Mapping[int, str]) -> list[_Change]:
    """Which of these RDVs persons made or changed; one that merely was read again is no change."""
    return [
        (rdv.id, "changed" if rdv.id in known else "appeared", rdv.agent_ids[0] if rdv.agent_ids else None)
        for rdv in news
        if rdv.id not in known or known[rdv.id].digest != digests[rdv.id]
    ]


def _is_news(known: ObservedRdv | None, digest: str, epoch: int) -> bool:
    return (
        known is None
        or known.digest != digest
        or known.presence is not Presence.PRESENT
        or known.missing_readings > 0
        or known.agents_epoch != epoch
    )


def covers(windows: Iterable[RdvWindow], start: datetime, end: datetime) -> bool:
    """Do these windows together hold all of start..end? Neighbours of a split begin within a second."""
    reached = start
    for window in sorted(windows, key=lambda each: each.start):
        if window.start <= reached <= window.end:
            reached = window.end + timedelta(seconds=1)
        if reached > end:
            return True
    return False


def _inside(window: RdvWindow | StoredWindow, others: Iterable[RdvWindow]) -> bool:
    return any(other.start <= window.start and window.end <= other.end for other in others)


def _why_not_believed(rdv: ObservedRdv, services: Collection[int | None], epoch: int) -> str:
    if rdv.agents_epoch != epoch:
        return "an agent vanished from the agent list since this RDV was last read: rights may have been lost"
    if rdv.service_id not in services:
        return "no other RDV of its organisation and service was read: rights may have been lost"
    return ""


def problem_of(error: ConnectorError, agent_id: int | None, where: str = "") -> Problem:
    """An error as people are told of it."""
    reason = f"{where}: {error}" if where else str(error)
    return Problem(agent_id, error.system, reason, error.addressee.value, error.remedy)
