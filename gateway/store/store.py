"""What the gateway remembers, read. Each call sees the committed state of one instant; within a transaction of the
same thread, what that transaction wrote too."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import RowMapping

from connectors.errors import OurBug
from gateway.alerts.values import Entry, Identity
from gateway.journal import history, log, retention
from gateway.journal.log import JournalFilter
from gateway.journal.verify import Given, Verdict, verify
from gateway.keys import Keyring
from gateway.store import (
    agents,
    agreed,
    alerts,
    brakes,
    calendars,
    changes,
    conflicts,
    facts,
    figures,
    guarding,
    notes,
    observed,
    runs,
    secret,
    slow,
    undoing,
    work,
)
from gateway.store.alerts import MessageCounts, QueuedMessage
from gateway.store.business import BusinessTables
from gateway.store.database import Database
from gateway.store.feeds import FeedTables
from gateway.store.figures import Figures
from gateway.store.last_word import LastWords
from gateway.store.slow import SlowStep
from gateway.store.tokens import TokenTable
from gateway.store.transaction import Transaction
from gateway.store.values import (
    AgentStatus,
    CalendarState,
    ConflictNotice,
    ConflictRow,
    HoldRow,
    JournalRow,
    KnownItem,
    ObservedAbsence,
    ObservedRdv,
    OrganisationState,
    RunRow,
    StoredWindow,
)
from gateway.store.webhooks import WebhookTables
from gateway.sync.outages import Outage
from gateway.sync.undo.steps import UndoStep
from gateway.sync.values import (
    AgentHistory,
    AgentState,
    AgentView,
    CalendarRef,
    ConflictKind,
    LinkedAgent,
    MatchedAgent,
    OpenIntent,
    Pin,
    PlanFigures,
    Stop,
    Suppression,
)


class Store:
    """Reads, and opens transactions. Thread-safe.

    Every method may raise `RetryLater` or `ITMustAct` (the database cannot be used) and, where something is
    decrypted, `Undecipherable`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._keys = database.keys

    @property
    def keys(self) -> Keyring:
        """What it is encrypted and sealed with."""
        return self._keys

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One unit of change: committed when the block ends, undone when it raises anything.

        Transactions of all threads take turns: no remote call, no waiting inside. They do not nest (`OurBug`).
        """
        with self._database.write() as connection:
            yield Transaction(connection, self._keys)

    @contextmanager
    def webhooks(self) -> Iterator[WebhookTables]:
        """Webhooks, subscriptions, and what readings found first; for reading."""
        with self._database.read() as connection:
            yield WebhookTables(connection, self._keys)

    @contextmanager
    def feeds(self) -> Iterator[FeedTables]:
        """Links to feeds and what they hold; for reading."""
        with self._database.read() as connection:
            yield FeedTables(connection, self._keys)

    @contextmanager
    def tokens(self) -> Iterator[TokenTable]:
        """Tokens of the read API; for reading."""
        with self._database.read() as connection:
            yield TokenTable(connection)

    @contextmanager
    def business(self) -> Iterator[BusinessTables]:
        """What business applications are told; for reading."""
        with self._database.read() as connection:
            yield BusinessTables(connection)

    @contextmanager
    def words(self) -> Iterator[LastWords]:
        """What was said last of things of RDV-Solidarités by anything but a listing; for reading."""
        with self._database.read() as connection:
            yield LastWords(connection)

    @contextmanager
    def sync_lock(self) -> Iterator[None]:
        """Be the only process that syncs on this database. Raises `AnotherSync`.

        When the lock is lost within the block, together with the server that kept it, nothing more can be written.
        """
        with self._database.sync_lock():
            yield

    # --- agents ----------------------------------------------------------------------------------------------

    def agents(self, states: Collection[AgentState] | None = None) -> tuple[LinkedAgent, ...]:
        """Enrolled agents by id; only those in `states` when it is given."""
        with self._database.read() as connection:
            return agents.agents(connection, states)

    def agent(self, agent_id: int) -> LinkedAgent | None:
        """One enrolled agent."""
        with self._database.read() as connection:
            return agents.agent(connection, agent_id)

    def matched_agents(self) -> tuple[MatchedAgent, ...]:
        """Agents who are matched with calendars and not enrolled, by id."""
        with self._database.read() as connection:
            return agents.matched_agents(connection)

    def first_plans(self) -> tuple[PlanFigures, ...]:
        """What the last plan of each agent's first run came to, by agent id."""
        with self._database.read() as connection:
            return runs.figures(connection)

    def agent_view(self, agent_id: int) -> AgentView:
        """All that a plan for this agent is made of. Raises `OurBug` when the agent is not enrolled.

        `events`: of all the agent's calendars. `rdvs`: observed with this agent, or with an agreed copy of theirs.
        """
        with self._database.read() as connection:
            agent = agents.agent(connection, agent_id)
            if agent is None:
                raise OurBug(f"agent {agent_id} is not enrolled", system="database")
            return AgentView(
                agent=agent,
                events=tuple(calendars.seen_events(connection, agent.calendars)),
                rdvs=tuple(observed.seen_rdvs(connection, self._keys, agent_id)),
                absences=tuple(observed.seen_absences(connection, self._keys, agent_id)),
                copies=agreed.copies(connection, agent_id),
                blocks=agreed.blocks(connection, agent_id),
                mirrors=agreed.mirrors(connection, agent_id),
                suppressions=agreed.suppressions(connection, agent_id),
                open_intents=work.open_intents(connection, self._keys, agent_id),
                pins=guarding.pins(connection, agent_id),
                history=guarding.history(connection, agent_id),
            )

    def change_counts(self, of: Collection[LinkedAgent]) -> changes.ChangeCounts:
        """How often what these agents' plans are made of has changed (`AgentView`)."""
        with self._database.read() as connection:
            return changes.counts(connection, of)

    def agent_status(self) -> tuple[AgentStatus, ...]:
        """Where each enrolled agent stands, by id."""
        with self._database.read() as connection:
            return runs.agent_status(connection)

    # --- observed --------------------------------------------------------------------------------------------

    def calendar_state(self, ref: CalendarRef) -> CalendarState | None:
        """How far this calendar was read; None: never."""
        with self._database.read() as connection:
            return calendars.state(connection, ref)

    def calendar_states(self, refs: Iterable[CalendarRef]) -> dict[CalendarRef, CalendarState]:
        """How far each of these calendars was read; those that never were are left out."""
        with self._database.read() as connection:
            return calendars.states(connection, refs)

    def known_items(self, ref: CalendarRef) -> dict[str, KnownItem]:
        """By href, what is known of each item of this calendar."""
        with self._database.read() as connection:
            return calendars.known_items(connection, ref)

    def own_hrefs(self, ref: CalendarRef, since: datetime) -> frozenset[str]:
        """Where our events are in this calendar: copies that end after an instant, and all events of absences."""
        with self._database.read() as connection:
            return agreed.own_hrefs(connection, ref, since)

    def organisation_states(self) -> dict[int, OrganisationState]:
        """By organisation id."""
        with self._database.read() as connection:
            return observed.organisation_states(connection)

    def rdv_windows(self, organisation_id: int) -> tuple[StoredWindow, ...]:
        """The windows of this organisation that were read, by start."""
        with self._database.read() as connection:
            return observed.rdv_windows(connection, organisation_id)

    def observed_rdvs(self, organisation_id: int) -> tuple[ObservedRdv, ...]:
        """RDVs of this organisation by id, without decrypting them."""
        with self._database.read() as connection:
            return observed.observed_rdvs(connection, organisation_id)

    def observed_absences(self) -> dict[int, ObservedAbsence]:
        """Absences of all agents by id, without decrypting titles."""
        with self._database.read() as connection:
            return observed.observed_absences(connection)

    # --- agreed ----------------------------------------------------------------------------------------------

    def mapped_absence_ids(self) -> frozenset[int]:
        """Absences that are in a pool or mirrored."""
        with self._database.read() as connection:
            return agreed.mapped_absence_ids(connection)

    def copied_rdv_ids(self) -> frozenset[int]:
        """RDVs of which an agent has a copy."""
        with self._database.read() as connection:
            return agreed.copied_rdv_ids(connection)

    def highest_absence_id(self) -> int:
        """The highest absence id ever observed, created or mirrored; 0 before the first."""
        with self._database.read() as connection:
            return agreed.highest_absence_id(connection)

    # --- work ------------------------------------------------------------------------------------------------

    def open_intents(self, agent_id: int | None = None) -> tuple[OpenIntent, ...]:
        """Writes without an outcome, oldest first; of one agent, or of all."""
        with self._database.read() as connection:
            return work.open_intents(connection, self._keys, agent_id)

    def holds(self, agent_id: int | None = None) -> tuple[HoldRow, ...]:
        """What waits for a person, by agent and by the time concerned."""
        with self._database.read() as connection:
            return work.holds(connection, agent_id)

    def approvals(self, agent_id: int) -> frozenset[str]:
        """Digests of operations that a person approved and that are not done yet."""
        with self._database.read() as connection:
            return work.approvals(connection, agent_id)

    def history_of(self, agent_id: int) -> AgentHistory:
        """What the guard remembers of this agent (`AgentView.history`); nothing at first."""
        with self._database.read() as connection:
            return guarding.history(connection, agent_id)

    def pins(self, agent_id: int | None = None) -> tuple[Pin, ...]:
        """What persons said shall stay as it is; of one agent, or of all."""
        with self._database.read() as connection:
            return guarding.pins(connection, agent_id)

    def left_before(self, agent_id: int, rdv_ids: Collection[int]) -> Mapping[int, frozenset[str]]:
        """By RDV, keyed digests of all that was ever left of its copy (`JournalEntry.after_digest`)."""
        with self._database.read() as connection:
            return guarding.left_before(connection, agent_id, rdv_ids)

    def last_instant(self) -> datetime | None:
        """The latest instant at which a run began or ended; None before the first."""
        with self._database.read() as connection:
            return guarding.last_instant(connection)

    def run_count(self) -> int:
        """How many runs this database, or one that it was copied from, has seen."""
        with self._database.read() as connection:
            return guarding.run_count(connection)

    def outages(self) -> tuple[Outage, ...]:
        """Those that were declared and that somebody may still wait for."""
        with self._database.read() as connection:
            return guarding.outages(connection)

    def figures(self, now: datetime) -> Figures:
        """Where everything stands at `now`, in numbers."""
        with self._database.read() as connection:
            return figures.figures(connection, now)

    def slow_steps(self, limit: int, *, latest: bool = False) -> tuple[SlowStep, ...]:
        """The slowest steps that are kept, the worst first; or the latest of them, the latest first."""
        with self._database.read() as connection:
            return slow.slow_steps(connection, limit, latest=latest)

    def require_writable(self) -> None:
        """Write, and take it back. Raises what `transaction` raises."""
        with self._database.write() as connection:
            figures.touch(connection)
            connection.rollback()

    def told(self) -> tuple[str, ...]:
        """What befell this database and is not over, in sentences for IT."""
        with self._database.read() as connection:
            return guarding.told(connection)

    def conflicts(self, agent_id: int | None = None) -> tuple[ConflictRow, ...]:
        """What a person should know or settle, as the last runs found it, by agent and by the time concerned."""
        with self._database.read() as connection:
            return conflicts.conflicts(connection, agent_id)

    def conflict_counts(self) -> dict[int, dict[ConflictKind, int]]:
        """How many there are of each kind, by agent id."""
        with self._database.read() as connection:
            return conflicts.conflict_counts(connection)

    def conflict_notices(self, limit: int = 1_000, *, only_over: bool = False) -> tuple[ConflictNotice, ...]:
        """What is to be told of the conflicts of live agents: each once when it is there, and, if that was told, once
        when it is over before its time came. Given again until `Transaction.mark_told`."""
        with self._database.read() as connection:
            return conflicts.notices(connection, limit, only_over=only_over)

    def stop(self) -> Stop | None:
        """What a person said to stop all writes; None: nobody did."""
        with self._database.read() as connection:
            return brakes.stop(connection)

    def written(self, remote: str, *, now: datetime) -> dict[datetime, int]:
        """How many writes a remote got, by clock hour, in the hours that count at `now`."""
        with self._database.read() as connection:
            return brakes.written(connection, remote, since=brakes.window_start(now))

    def written_remotes(self, *, now: datetime) -> tuple[str, ...]:
        """Remotes that got writes in the hours that count at `now`, by name."""
        with self._database.read() as connection:
            return brakes.written_remotes(connection, since=brakes.window_start(now))

    def runs(self, limit: int = 20) -> tuple[RunRow, ...]:
        """The last runs, newest first."""
        with self._database.read() as connection:
            return runs.runs(connection, limit)

    def journal(
        self,
        *,
        agent_id: int | None = None,
        run_id: str | None = None,
        chosen: JournalFilter | None = None,
        limit: int = 100,
        before_id: int | None = None,
        with_content: bool = False,
    ) -> tuple[JournalRow, ...]:
        """Entries, newest first, older than `before_id`. `chosen`: in place of agent and run. `before` is decrypted
        only `with_content`, else None, as it is once it was purged or erased."""
        chosen = chosen or JournalFilter(agent_id=agent_id, run_id=run_id)
        with self._database.read() as connection:
            return log.read(connection, self._keys, chosen, limit=limit, before_id=before_id, with_content=with_content)

    def stored_journal(self, chosen: JournalFilter) -> Iterator[RowMapping]:
        """All columns of entries, oldest first, as they are; read as they are taken."""
        with self._database.read() as connection:
            yield from log.stored(connection, chosen)

    def verify_journal(self, checkpoints: Iterable[Given] = (), *, public_key: bytes | None = None) -> Verdict:
        """Everything in the journal that is not as it was written. `checkpoints`: exported ones. `public_key`: whose
        signatures count, 32 bytes; else the instance's own."""
        with self._database.read() as connection:
            return verify(connection, self._keys, tuple(checkpoints), public_key=public_key)

    def journal_retention(self, *, content_before: datetime, entries_before: datetime | None) -> tuple[int, int]:
        """How many pre-images and how many entries are older than these."""
        with self._database.read() as connection:
            entries = 0 if entries_before is None else retention.old_entries(connection, entries_before)
            return retention.old_content(connection, content_before), entries

    def sweep(self) -> bool:
        """Take what was removed out of the database's files too, where that is ours to do; False: not all of it yet,
        since somebody reads."""
        return self._database.sweep()

    def history(self, references: Collection[str], limit: int = 1_000) -> tuple[JournalRow, ...]:
        """What the journal tells of these (`rdv 12`, `absence 34`, an href), newest first, without content."""
        with self._database.read() as connection:
            return history.history(connection, references, limit)

    # --- alerts ----------------------------------------------------------------------------------------------

    def alert_entries(self) -> dict[Identity, Entry]:
        """What is remembered of every cause."""
        with self._database.read() as connection:
            return alerts.entries(connection, self._keys)

    def due_messages(self, now: datetime, limit: int) -> tuple[QueuedMessage, ...]:
        """Messages to send now, those that wait longest first."""
        with self._database.read() as connection:
            return alerts.due(connection, self._keys, now, limit)

    def last_messages(self) -> Mapping[str, datetime]:
        """By group (`QueuedMessage.group`), when the last message to it was made, as far as that is remembered."""
        with self._database.read() as connection:
            return alerts.last_made(connection)

    def messages_made(self, since: datetime) -> int:
        """How many messages were made after an instant."""
        with self._database.read() as connection:
            return alerts.made_since(connection, since)

    def message_counts(self) -> MessageCounts:
        """How many wait, and what became of the others."""
        with self._database.read() as connection:
            return alerts.counts(connection)

    def digested_week(self) -> str | None:
        """The week, as `2026-W10`, whose digest was made last."""
        with self._database.read() as connection:
            return alerts.digested_week(connection)

    def suppressions_after(self, moment: datetime) -> tuple[Suppression, ...]:
        """Of all agents, those of time that ends after a wall-clock."""
        with self._database.read() as connection:
            return alerts.suppressions_after(connection, moment)

    # --- figures ---------------------------------------------------------------------------------------------

    def database_facts(self) -> facts.DatabaseFacts:
        """How large and how sound the database is. Reads all of it."""
        with self._database.read() as connection:
            return facts.database_facts(connection)

    def agreed_counts(self) -> dict[int, dict[str, int]]:
        """By agent: how many copies, blocks, mirrors and suppressions are agreed."""
        with self._database.read() as connection:
            return facts.agreed_counts(connection)

    def journal_facts(self, since: datetime) -> facts.JournalFacts:
        """How many entries there are, and of which kinds since an instant."""
        with self._database.read() as connection:
            return facts.journal_facts(connection, since)

    def undo_steps(self, journal_ids: Collection[int]) -> dict[int, UndoStep]:
        """By journal entry, what was noted of these writes; of those that noted nothing, nothing."""
        with self._database.read() as connection:
            return undoing.steps(connection, journal_ids)

    def note(self, name: str) -> str | None:
        """What `put_note` left under this name."""
        with self._database.read() as connection:
            return notes.note(connection, name)

    def notes(self, beginning: str) -> dict[str, str]:
        """By name, those whose names begin so."""
        with self._database.read() as connection:
            return notes.notes(connection, beginning)

    def secret(self, name: str) -> bytes | None:
        """What `put_secret` kept under this name."""
        with self._database.read() as connection:
            return secret.secret(connection, self._keys, name)
