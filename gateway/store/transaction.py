"""One unit of change. Nothing here commits: the block that `Store.transaction` opened does."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from connectors.errors import OurBug
from connectors.records import Absence, Rdv, RdvSelection
from gateway.alerts.values import Entry, Identity
from gateway.journal import checkpoints, log, retention
from gateway.journal.checkpoints import Checkpoint
from gateway.keys import Keyring
from gateway.store import (
    agents,
    agreed,
    alerts,
    brakes,
    calendars,
    changes,
    conflicts,
    guarding,
    notes,
    observed,
    runs,
    secret,
    slow,
    undoing,
    work,
)
from gateway.store.alerts import QueuedMessage
from gateway.store.brakes import BeforeWrite
from gateway.store.business import BusinessTables
from gateway.store.conflicts import ConflictChanges
from gateway.store.feeds import FeedTables
from gateway.store.last_word import LastWords
from gateway.store.slow import SlowStep
from gateway.store.tokens import TokenTable
from gateway.store.values import CalendarState, ConflictNotice, ObservedAbsence, OrganisationState, StoredWindow
from gateway.store.webhooks import WebhookTables
from gateway.sync.outages import Outage
from gateway.sync.undo.steps import UndoStep
from gateway.sync.values import (
    AgentHistory,
    AgentReport,
    AgentState,
    AgreedCopy,
    AgreedMirror,
    CalendarRef,
    Conflict,
    Held,
    JournalEntry,
    LinkedAgent,
    MatchedAgent,
    OpenIntent,
    Operation,
    Pin,
    PlanFigures,
    PoolBlock,
    Presence,
    RunReport,
    SeenEvent,
    SeenRdv,
    Stop,
    Suppression,
)


class Transaction:
    """Writes within one transaction. Used by the thread that opened it, until its block ends.

    `put_…` and `save_…` make a row what is given, whether it was there or not. `drop_…` and `forget_…` of what is
    not there do nothing. Datetimes `at` and `read_at` are instants.
    """

    def __init__(self, connection: Connection, keys: Keyring) -> None:
        self._connection = connection
        self._keys = keys
        self._highest_absence = 0  # that this transaction noticed

    @property
    def webhooks(self) -> WebhookTables:
        """Webhooks, subscriptions, and what readings found first."""
        return WebhookTables(self._connection, self._keys)

    @property
    def tokens(self) -> TokenTable:
        """Tokens of the read API."""
        return TokenTable(self._connection)

    @property
    def business(self) -> BusinessTables:
        """What business applications are told."""
        return BusinessTables(self._connection)

    @property
    def words(self) -> LastWords:
        """What was said last of things of RDV-Solidarités by anything but a listing."""
        return LastWords(self._connection)

    @property
    def feeds(self) -> FeedTables:
        """Links to feeds and what they hold."""
        return FeedTables(self._connection, self._keys)

    # --- agents ----------------------------------------------------------------------------------------------

    def put_agent(self, agent: LinkedAgent) -> None:
        """Enrol an agent, or change all that is said of them."""
        agents.put_agent(self._connection, agent)

    def put_matched(self, matched: MatchedAgent) -> None:
        """Remember which calendars are an agent's, before the agent is enrolled."""
        agents.put_matched(self._connection, matched)

    def drop_matched(self, agent_id: int) -> None:
        """Forget a match: the agent is enrolled, or it was wrong."""
        agents.drop_matched(self._connection, agent_id)

    def set_agent_state(self, agent_id: int, state: AgentState) -> None:
        """Raises `OurBug` when the agent is not enrolled."""
        self._change_agent(agent_id, state=state.value)

    def set_first_run_approved(self, agent_id: int, *, approved: bool = True) -> None:
        """Raises `OurBug` when the agent is not enrolled."""
        self._change_agent(agent_id, first_run_approved=approved)

    def set_agent_wave(self, agent_id: int, wave: int | None) -> None:
        """Raises `OurBug` when the agent is not enrolled."""
        self._change_agent(agent_id, wave=wave)

    def set_agent_home(self, agent_id: int, organisation_id: int | None, service_id: int | None) -> None:
        """Whose rules hold for an agent. Raises `OurBug` when the agent is not enrolled."""
        self._change_agent(agent_id, organisation_id=organisation_id, service_id=service_id)

    def _change_agent(self, agent_id: int, **changes: object) -> None:
        if not agents.change_agent(self._connection, agent_id, **changes):
            raise OurBug(f"agent {agent_id} is not enrolled", system="database")

    # --- observed: calendars ---------------------------------------------------------------------------------

    def save_calendar_reading(
        self,
        ref: CalendarRef,
        *,
        events: Sequence[SeenEvent],
        gone: Collection[str],
        cursor: str | None,
        mark: str,
        read_at: datetime,
        patterns: str = "",
    ) -> None:
        """One reading: the events that are new or changed, the hrefs proven gone, and how far it got."""
        state = CalendarState(cursor, mark, read_at, patterns)
        calendars.save_reading(self._connection, ref, events=events, gone=gone, state=state)

    def save_event(self, event: SeenEvent) -> None:
        """One event as re-read after our own write. Raises `OurBug` when its calendar was never read."""
        calendars.save_event(self._connection, event)

    def drop_event(self, ref: CalendarRef, href: str) -> None:
        """One event that is proven gone."""
        calendars.drop_event(self._connection, ref, href)

    # --- observed: RDV-Solidarités ---------------------------------------------------------------------------

    def save_organisations(self, states: Iterable[OrganisationState]) -> None:
        """Those that are not named stay."""
        observed.save_organisations(self._connection, states)

    def keep_selection(self, selection: RdvSelection) -> None:
        """RDVs are read with this from now on: another one than before makes every window unread, and takes what is
        not chosen any more out of the database."""
        observed.keep_selection(self._connection, self._keys, selection)

    def save_rdv_windows(self, organisation_id: int, windows: Iterable[StoredWindow]) -> None:
        """These replace all windows of the organisation. Of equal windows the latest reading counts."""
        observed.save_rdv_windows(self._connection, organisation_id, windows)

    def seen_rdv(self, rdv_id: int) -> SeenRdv | None:
        """An RDV as last read, whoever takes part; None: nothing is known of it."""
        return observed.seen_rdv(self._connection, self._keys, rdv_id)

    def save_rdvs(
        self, rdvs: Sequence[Rdv], *, digests: Mapping[int, str], agents_epoch: int, read_at: datetime
    ) -> None:
        """RDVs that were read: PRESENT, missing from no reading.

        `digests`: by RDV id, keyed, of the whole record: one that is stored with the same is not written again.
        """
        merges = observed.save_rdvs(
            self._connection, self._keys, rdvs, digests=digests, agents_epoch=agents_epoch, read_at=read_at
        )
        for merge in merges:
            for link_id in merge.links:
                self.journal(_merged(link_id, moved=merge.moved, at=read_at))

    def save_rdv_missing(self, rdv_id: int, *, readings: int, presence: Presence, because: str) -> None:
        """An RDV that `readings` complete readings in a row did not hold, and what is made of it."""
        observed.save_rdv_missing(self._connection, rdv_id, readings=readings, presence=presence, because=because)

    def forget_rdvs(self, ids: Collection[int]) -> None:
        """Remove RDVs from what is observed. Copies of them stay agreed."""
        observed.forget_rdvs(self._connection, ids)

    def save_absences(self, upserts: Sequence[Absence]) -> None:
        """Absences that were read: PRESENT. One that is stored already as it is, is not written again."""
        self.notice_absences([absence.id for absence in upserts])
        observed.save_absences(self._connection, self._keys, upserts)

    def notice_absences(self, ids: Iterable[int]) -> None:
        """Ids that a listing held, whether or not their absences can be read: the highest one is remembered, also
        after its absence is forgotten."""
        highest = max(ids, default=0)
        if highest > self._highest_absence:
            agreed.notice_absence(self._connection, highest)
            self._highest_absence = highest

    def held_absences(self, ids: Sequence[int]) -> dict[int, ObservedAbsence]:
        """Of these absences, those that are held, without decrypting titles."""
        return observed.observed_absences_of(self._connection, ids)

    def save_absence_presence(self, absence_id: int, presence: Presence, because: str) -> None:
        """What is made of an absence that a listing did not hold."""
        observed.save_absence_presence(self._connection, absence_id, presence, because)

    def forget_absences(self, ids: Collection[int]) -> None:
        """Remove absences from what is observed. Their blocks and mirrors stay agreed."""
        observed.forget_absences(self._connection, ids)

    # --- agreed ----------------------------------------------------------------------------------------------

    def put_copy(self, copy: AgreedCopy) -> None:
        agreed.put_copy(self._connection, copy)

    def drop_copy(self, rdv_id: int, agent_id: int) -> None:
        agreed.drop_copy(self._connection, rdv_id, agent_id)

    def put_block(self, block: PoolBlock) -> None:
        self.notice_absences([block.absence_id])
        agreed.put_block(self._connection, block)

    def drop_block(self, absence_id: int) -> None:
        agreed.drop_block(self._connection, absence_id)

    def approve_found_blocks(self, agent_id: int) -> int:
        """Let the gateway change the agent's blocks that a person had typed; how many that concerns."""
        return agreed.approve_found_blocks(self._connection, agent_id)

    def put_mirror(self, mirror: AgreedMirror) -> None:
        self.notice_absences([mirror.absence_id])
        agreed.put_mirror(self._connection, mirror)

    def drop_mirror(self, absence_id: int) -> None:
        agreed.drop_mirror(self._connection, absence_id)

    def add_suppressions(self, added: Iterable[Suppression]) -> None:
        agreed.add_suppressions(self._connection, added)

    def end_suppressions(self, ended: Iterable[Suppression]) -> None:
        agreed.end_suppressions(self._connection, ended)

    # --- work ------------------------------------------------------------------------------------------------

    def open_intent(
        self,
        run_id: str,
        operation: Operation,
        *,
        highest_absence_id: int,
        at: datetime,
        before: bytes | None = None,
    ) -> OpenIntent:
        """Commit to a remote write before it is sent. `before`: the pre-image of what it overwrites or removes."""
        return work.open_intent(
            self._connection,
            self._keys,
            run_id,
            operation,
            highest_absence_id=highest_absence_id,
            at=at,
            before=before,
        )

    def await_intent(self, intent_id: int, *, at: datetime) -> None:
        """The answer to this write was given up at `at`: it may have been sent only shortly before."""
        work.await_intent(self._connection, intent_id, at)

    def close_intent(self, intent_id: int, outcome: str) -> None:
        """Record how it ended; erase the operation and its pre-image. Raises `OurBug` when the intent is not open."""
        work.close_intent(self._connection, intent_id, outcome)

    def stop(self) -> Stop | None:
        """The stop in force as this transaction sees it."""
        return brakes.stop(self._connection)

    def set_stop(self, given: Stop) -> None:
        """Stop all writes, of this process and of every other, until it is lifted. Replaces an earlier one."""
        brakes.set_stop(self._connection, given)

    def lift_stop(self) -> bool:
        """Let writes go on; False when nothing was stopped."""
        return brakes.lift_stop(self._connection)

    def written(self, remote: str, *, now: datetime) -> dict[datetime, int]:
        """As `Store.written`."""
        return brakes.written(self._connection, remote, since=brakes.window_start(now))

    def before_write(self, remote: str | None, *, now: datetime) -> BeforeWrite:
        """What decides whether a write may be sent now, and what its intent notes. `remote`: None: to none."""
        return brakes.before_write(self._connection, remote, since=brakes.window_start(now))

    def count_write(self, remote: str, *, at: datetime) -> None:
        """One more write to this remote, in the same transaction as its intent."""
        brakes.count_write(self._connection, remote, at=at)

    def replace_holds(self, agent_id: int, held: Sequence[Held], *, run_id: str, at: datetime) -> None:
        """These are all the agent's holds now. One that was held already keeps its `since`."""
        work.replace_holds(self._connection, agent_id, held, run_id=run_id, at=at)

    def drop_holds(self, agent_id: int, digests: Collection[str]) -> None:
        """These wait no longer: a person refused them."""
        work.drop_holds(self._connection, agent_id, digests)

    def approve(self, agent_id: int, digests: Collection[str], *, at: datetime, by: str) -> None:
        """A person lets these operations (`Operation.digest`) pass."""
        work.approve(self._connection, agent_id, digests, at=at, by=by)

    def withdraw_approvals(self, agent_id: int) -> int:
        """Take back what was approved for an agent and is not done yet; how much that was."""
        return work.withdraw_approvals(self._connection, agent_id)

    def consume_approval(self, agent_id: int, digest: str) -> str | None:
        """Use an approval up; whose it was, None when there was none."""
        return work.consume_approval(self._connection, agent_id, digest)

    # --- what the guard remembers ------------------------------------------------------------------------------

    def put_history(self, agent_id: int, kept: AgentHistory) -> None:
        """What to remember of an agent."""
        guarding.put_history(self._connection, agent_id, kept)

    def put_pin(self, made: Pin) -> None:
        """Keep something as it is until its source asks for something else."""
        guarding.put_pin(self._connection, made)

    def drop_pin(self, ended: Pin) -> bool:
        """False when there was none on this thing."""
        return guarding.drop_pin(self._connection, ended.agent_id, ended.thing, ended.number)

    def set_run_count(self, count: int) -> None:
        """How many runs there were; see `Store.run_count`."""
        guarding.set_run_count(self._connection, count)

    def set_outages(self, kept: Collection[Outage]) -> None:
        """These are all the outages now."""
        guarding.set_outages(self._connection, kept)

    def set_told(self, sentences: Collection[str]) -> None:
        """What befell the database, until it is over."""
        guarding.set_told(self._connection, sentences)

    # --- conflicts -------------------------------------------------------------------------------------------

    def replace_conflicts(
        self,
        agent_id: int,
        found: Iterable[Conflict],
        *,
        tell: Sequence[str],
        run_id: str,
        at: datetime,
        wall: datetime,
    ) -> ConflictChanges:
        """These are all the agent's conflicts now; what came and what is over by that. One that was there keeps its
        `since`. `tell`: whom to tell of them. `wall`: the same moment as `at`, as the agent's wall-clock."""
        return conflicts.replace_conflicts(
            self._connection, agent_id, found, tell=tell, run_id=run_id, at=at, wall=wall
        )

    def drop_conflicts(self, agent_id: int) -> None:
        """The agent's conflicts concern nobody any more."""
        conflicts.drop_conflicts(self._connection, agent_id)

    def mark_told(self, told: Iterable[ConflictNotice], *, at: datetime) -> None:
        """These notices (`Store.conflict_notices`) reached whom they were for: none of them is given again."""
        conflicts.mark_told(self._connection, told, at=at)

    # --- alerts ----------------------------------------------------------------------------------------------

    def save_alerts(self, changed: Iterable[Entry], dropped: Iterable[Identity]) -> None:
        """Remember these as they are now, and forget those."""
        alerts.save_entries(self._connection, self._keys, changed, dropped)

    def queue_messages(self, messages: Iterable[QueuedMessage]) -> None:
        """To be sent."""
        alerts.queue(self._connection, self._keys, messages)

    def begin_attempt(self, message: QueuedMessage, *, next_at: datetime) -> bool:
        """Commit to sending it now; False: somebody else did. `next_at`: when it is tried again if nothing is noted."""
        return alerts.begin_attempt(self._connection, message, next_at)

    def message_sent(self, message_id: str, *, at: datetime) -> None:
        """It was taken by whoever delivers it. Its content is erased."""
        alerts.end_message(self._connection, message_id, sent_at=at, given_up_at=None)

    def message_given_up(self, message_id: str, *, at: datetime) -> None:
        """It will not be taken. Its content is erased."""
        alerts.end_message(self._connection, message_id, sent_at=None, given_up_at=at)

    def set_digested_week(self, week: str) -> None:
        """The digest of this week (`2026-W10`) is made."""
        alerts.set_digested_week(self._connection, week)

    def forget_messages(self, before: datetime) -> None:
        """Those that were sent or given up before an instant."""
        alerts.forget_messages(self._connection, before)

    # --- runs, journal, secrets ------------------------------------------------------------------------------

    def start_run(self, run_id: str, *, at: datetime, dry_run: bool = False) -> None:
        runs.start_run(self._connection, run_id, at=at, dry_run=dry_run)

    def finish_run(self, report: RunReport, *, at: datetime) -> None:
        """Keep a run's numbers. Raises `OurBug` when it was never started."""
        runs.finish_run(self._connection, report, at=at)

    def finish_small_run(self, report: RunReport, *, at: datetime) -> None:
        """As `finish_run`; one that found nothing leaves no row, only the instant of its end."""
        if runs.found_something(self._connection, report):
            runs.finish_run(self._connection, report, at=at)
        else:
            runs.drop_run(self._connection, report.run_id)
            guarding.set_quiet_instant(self._connection, at)

    def forget_runs(self, before: datetime) -> int:
        """Remove the rows of runs that began before an instant; how many those were."""
        return runs.forget_runs(self._connection, before)

    def save_agent_result(
        self, report: AgentReport, *, run_id: str, at: datetime, complete: bool, as_of: datetime | None = None
    ) -> None:
        """What a run left for one agent. `complete`: all that concerns the agent was proven read and done, as of that
        instant if it is an earlier one than `at`."""
        runs.save_agent_result(self._connection, report, run_id=run_id, at=at, complete=complete, as_of=as_of)

    def save_unchanged(
        self,
        agent_ids: Iterable[int],
        *,
        run_id: str,
        at: datetime,
        complete: bool,
        as_of: datetime | None = None,
    ) -> None:
        """As `save_agent_result` for agents who were not planned, since nothing of theirs had changed."""
        changes.save_unchanged(self._connection, agent_ids, run_id=run_id, at=at, complete=complete, as_of=as_of)

    def save_figures(self, figures: PlanFigures) -> None:
        """What the plan of an agent's first run comes to; replaces that of an earlier one."""
        runs.save_figures(self._connection, figures)

    def drop_figures(self, agent_id: int) -> None:
        """The agent's first plan is to be made anew, or was done."""
        runs.drop_figures(self._connection, agent_id)

    def journal(self, entry: JournalEntry) -> int:
        """Add an entry; its number. There is no way to change one."""
        return self.journal_all([entry])[0]

    def journal_all(self, entries: Iterable[JournalEntry]) -> list[int]:
        """Add entries in this order; their numbers."""
        return log.append(self._connection, self._keys, entries)

    def seal_journal(self, *, at: datetime) -> Checkpoint:
        """A signed checkpoint of the journal as this transaction sees it."""
        return checkpoints.make(self._connection, self._keys, at=at)

    def purge_journal_content(self, before: datetime) -> int:
        """Remove some pre-images of entries older than this; how many, 0 when none is left."""
        return retention.purge_content(self._connection, before)

    def cut_journal(self, before: datetime, *, at: datetime) -> int:
        """Put a signed anchor in the place of some entries older than this; how many, 0 when none is left."""
        return retention.cut(self._connection, self._keys, before, at=at)

    def erase_person(self, agent_id: int, *, at: datetime, by: str) -> int:
        """Destroy an agent's key and remove what it encrypted; how many pre-images that were. May be repeated.

        Raises `NotErasable` while the agent is synced, `KeyFileProblem`.
        """
        return retention.erase_person(self._connection, self._keys, agent_id, at=at, by=by)

    def put_undo_step(self, journal_id: int, step: UndoStep) -> None:
        """What an undo of this entry needs beside it."""
        undoing.put_step(self._connection, journal_id, step)

    def put_note(self, name: str, text: str) -> None:
        """Leave a small text for other processes on this database (`Store.note`)."""
        notes.put_note(self._connection, name, text)

    def drop_note(self, name: str) -> None:
        notes.drop_note(self._connection, name)

    def add_slow_steps(self, steps: Iterable[SlowStep], *, now: datetime) -> int:
        """Keep the slowest; milliseconds at and below which a step would not be among them."""
        slow.add_slow_steps(self._connection, steps, now=now)
        return slow.floor(self._connection)

    def put_secret(self, name: str, data: bytes) -> None:
        """Keep a secret under a name, encrypted."""
        secret.put_secret(self._connection, self._keys, name, data)

    def drop_secret(self, name: str) -> None:
        secret.drop_secret(self._connection, name)


def _merged(link_id: int, *, moved: bool, at: datetime) -> JournalEntry:
    went = "its usager was merged into another one: it follows"
    stays = "some RDVs of its usager went over to another one: it does not follow; make a new link if they were merged"
    return JournalEntry(
        at=at,
        run_id="reading",
        agent_id=None,
        side="gateway",
        action="feed_moved" if moved else "feed_left",
        object="feed",
        reference=f"feed {link_id}",
        rule=went if moved else stays,
    )
