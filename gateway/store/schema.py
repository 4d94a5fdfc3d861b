"""Tables. The migrations make them; a test says that both agree.

Clear columns hold ids, times, digests and states only. What is personal is in the columns of type `LargeBinary`,
each encrypted for its table, column and row. Text is `AnyText`, in the migrations too.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)

from gateway.store.columns import AnyText, Identifier, Instant, WallClock
from gateway.sync.values import (
    Action,
    AgentState,
    BlockOrigin,
    HoldReason,
    ObjectKind,
    OperationClass,
    PinnedThing,
    Presence,
    Side,
)

REVISION = "0014"
"""The migration that this code works with."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    allowed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({allowed})", name=column)


def _text(name: str) -> Column[str]:
    return Column(name, AnyText, nullable=False)


def _agent(*, on_delete: str | None = None) -> Column[int]:
    return Column("agent_id", Identifier, ForeignKey("linked_agent.agent_id", ondelete=on_delete), nullable=False)


meta = Table(
    "meta",
    metadata,
    Column("name", AnyText, primary_key=True),
    Column("value", AnyText, nullable=False),
)

secret = Table(
    "secret",
    metadata,
    Column("name", AnyText, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

# --- agents --------------------------------------------------------------------------------------------------

linked_agent = Table(
    "linked_agent",
    metadata,
    Column("agent_id", Identifier, primary_key=True, autoincrement=False),
    Column("zone", AnyText, nullable=False),
    Column("target_account", AnyText, nullable=False),
    Column("target_calendar", AnyText, nullable=False),
    Column("state", AnyText, nullable=False),
    Column("first_run_approved", Boolean, nullable=False),
    Column("wave", Integer),
    Column("organisation_id", Identifier),  # home: whose rules hold
    Column("service_id", Identifier),
    _one_of("state", AgentState),
)

linked_agent_source = Table(
    "linked_agent_source",
    metadata,
    _agent(on_delete="CASCADE"),
    Column("position", Integer, nullable=False),
    Column("account", AnyText, nullable=False),
    Column("calendar", AnyText, nullable=False),
    PrimaryKeyConstraint("agent_id", "position"),
    UniqueConstraint("agent_id", "account", "calendar"),
)

matched_agent = Table(
    "matched_agent",
    metadata,
    Column("agent_id", Identifier, primary_key=True, autoincrement=False),
    Column("account", AnyText, nullable=False),
    Column("sources", AnyText, nullable=False),  # JSON
    Column("target", AnyText, nullable=False),  # "": the account's only calendar
    Column("zone", AnyText, nullable=False),  # "": that of the agent's organisations
    Column("wave", Integer),
    Column("organisation_id", Identifier),
    Column("service_id", Identifier),
)

# --- observed ------------------------------------------------------------------------------------------------

calendar_state = Table(
    "calendar_state",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("account", AnyText, nullable=False),
    Column("calendar", AnyText, nullable=False),
    Column("cursor", AnyText),
    Column("mark", AnyText, nullable=False),
    Column("read_at", Instant, nullable=False),
    Column("patterns", AnyText, nullable=False, server_default=""),  # digest of those that it was read with
    UniqueConstraint("account", "calendar"),
)

observed_event = Table(
    "observed_event",
    metadata,
    Column("calendar_id", Identifier, ForeignKey("calendar_state.id", ondelete="CASCADE"), nullable=False),
    Column("href", AnyText, nullable=False),
    Column("version", AnyText, nullable=False),
    Column("raw_digest", AnyText, nullable=False),
    Column("uid", AnyText, nullable=False),
    Column("marker", AnyText),
    Column("native", AnyText),  # NULL: not put there by RDV-Solidarités itself
    Column("times", AnyText),
    _text("set_aside"),
    _text("owned_digest"),
    _text("times_digest"),
    _text("title_digest"),
    _text("notes_digest"),
    PrimaryKeyConstraint("calendar_id", "href"),
    sqlite_with_rowid=False,  # the items of a calendar lie together
)

organisation_state = Table(
    "organisation_state",
    metadata,
    Column("id", Identifier, primary_key=True, autoincrement=False),
    Column("name", AnyText, nullable=False),
    Column("agent_ids", AnyText, nullable=False),  # JSON, ascending
    Column("agents_epoch", Integer, nullable=False),
)

rdv_window = Table(
    "rdv_window",
    metadata,
    Column("organisation_id", Identifier, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("read_at", Instant, nullable=False),
    PrimaryKeyConstraint("organisation_id", "starts_at", "ends_at"),
    CheckConstraint("starts_at <= ends_at", name="order"),
)

observed_rdv = Table(
    "observed_rdv",
    metadata,
    Column("id", Identifier, primary_key=True, autoincrement=False),
    Column("organisation_id", Identifier, nullable=False, index=True),
    Column("starts_at_server", Instant, nullable=False),
    Column("service_id", Identifier),
    Column("presence", AnyText, nullable=False),
    _text("missing_because"),
    Column("missing_readings", Integer, nullable=False),
    Column("agents_epoch", Integer, nullable=False),
    Column("digest", AnyText, nullable=False),
    Column("read_at", Instant, nullable=False),  # of the reading that brought this content
    Column("content", LargeBinary, nullable=False),  # the whole record
    Column("lieu_id", Identifier, index=True),
    _one_of("presence", Presence),
    CheckConstraint("missing_readings >= 0", name="missing_readings"),
)

observed_rdv_agent = Table(
    "observed_rdv_agent",
    metadata,
    Column("rdv_id", Identifier, ForeignKey("observed_rdv.id", ondelete="CASCADE"), nullable=False),
    Column("agent_id", Identifier, nullable=False, index=True),  # enrolled or not
    PrimaryKeyConstraint("rdv_id", "agent_id"),
    sqlite_with_rowid=False,
)

observed_participation = Table(
    "observed_participation",
    metadata,
    Column("rdv_id", Identifier, ForeignKey("observed_rdv.id", ondelete="CASCADE"), nullable=False),
    Column("participation_id", Identifier, autoincrement=False, nullable=False),
    Column("usager_key", Identifier, nullable=False, index=True),  # keyed digests of usagers' ids
    Column("answerer_key", Identifier, index=True),  # of who answers for that usager
    PrimaryKeyConstraint("rdv_id", "participation_id"),
    sqlite_with_rowid=False,
)

observed_absence = Table(
    "observed_absence",
    metadata,
    Column("id", Identifier, primary_key=True, autoincrement=False),
    Column("agent_id", Identifier, nullable=False, index=True),
    Column("starts_at", WallClock, nullable=False),
    Column("ends_at", WallClock, nullable=False),
    Column("rrule", AnyText),
    Column("title_digest", AnyText, nullable=False),
    Column("title", LargeBinary, nullable=False),
    Column("presence", AnyText, nullable=False),
    _text("missing_because"),
    _one_of("presence", Presence),
)

last_said = Table(
    "last_said",
    metadata,
    Column("kind", AnyText, nullable=False),
    Column("number", Identifier, autoincrement=False, nullable=False),
    Column("at", Instant, nullable=False, index=True),
    Column("by_us", Boolean, nullable=False),  # as re-read after our own write; else by a webhook
    Column("gone", Boolean, nullable=False),
    PrimaryKeyConstraint("kind", "number"),
    CheckConstraint("kind IN ('rdv', 'absence')", name="kind"),
)

known_record = Table(
    "known_record",
    metadata,
    Column("kind", AnyText, nullable=False),
    Column("number", Identifier, autoincrement=False, nullable=False),
    Column("agent_id", Identifier, index=True),
    Column("at", Instant, nullable=False),
    Column("content", LargeBinary),  # NULL: gone
    PrimaryKeyConstraint("kind", "number"),
    CheckConstraint("kind IN ('plage_ouverture', 'lieu')", name="kind"),
)

# --- webhooks ------------------------------------------------------------------------------------------------

webhook_delivery = Table(
    "webhook_delivery",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("digest", AnyText, nullable=False, unique=True),  # keyed, of the raw body
    Column("organisation_id", Identifier, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("about", AnyText, nullable=False),
    Column("number", Identifier, nullable=False),
    Column("applied", Boolean, nullable=False),
    Column("content", LargeBinary),  # what it says, reduced; erased when it is applied
    CheckConstraint("NOT applied OR content IS NULL", name="erased"),
    Index(
        "ix_webhook_delivery_waiting",
        "id",
        sqlite_where=text("NOT applied"),
        postgresql_where=text("NOT applied"),
    ),
    sqlite_autoincrement=True,
)

webhook_endpoint = Table(
    "webhook_endpoint",
    metadata,
    Column("organisation_id", Identifier, autoincrement=False, nullable=False),
    Column("channel", AnyText, nullable=False),
    Column("installed_at", Instant, nullable=False),
    Column("last_received_at", Instant),
    Column("received", Identifier, nullable=False),
    Column("lost", Identifier, nullable=False),
    PrimaryKeyConstraint("organisation_id", "channel"),
)

found_first = Table(
    "found_first",
    metadata,
    Column("kind", AnyText, nullable=False),
    Column("number", Identifier, autoincrement=False, nullable=False),
    Column("organisation_id", Identifier, nullable=False),
    Column("at", Instant, nullable=False),
    PrimaryKeyConstraint("kind", "number"),
)

# --- agreed --------------------------------------------------------------------------------------------------

agreed_copy = Table(
    "agreed_copy",
    metadata,
    Column("rdv_id", Identifier, nullable=False),
    _agent(),
    Column("account", AnyText, nullable=False),
    Column("calendar", AnyText, nullable=False),
    Column("href", AnyText, nullable=False),
    Column("uid", AnyText, nullable=False),
    _text("asked_digest"),
    _text("owned_digest"),
    _text("notes_digest"),
    Column("ends_at", Instant, nullable=False),
    Column("put_back_on", Date),
    Column("put_back_count", Integer, nullable=False),
    Column("written_at", Instant),
    PrimaryKeyConstraint("rdv_id", "agent_id"),
    UniqueConstraint("account", "calendar", "href"),
    Index(None, "agent_id"),
)

pool_block = Table(
    "pool_block",
    metadata,
    Column("absence_id", Identifier, primary_key=True, autoincrement=False),
    _agent(),
    Column("starts_at", WallClock, nullable=False),
    Column("ends_at", WallClock, nullable=False),
    Column("provenance", AnyText, nullable=False),  # JSON, sorted
    Column("origin", AnyText, nullable=False),
    Column("approved", Boolean, nullable=False),
    Column("label", AnyText, nullable=False, server_default=""),
    _one_of("origin", BlockOrigin),
    Index(None, "agent_id"),
)

agreed_mirror = Table(
    "agreed_mirror",
    metadata,
    Column("absence_id", Identifier, primary_key=True, autoincrement=False),
    _agent(),
    Column("account", AnyText, nullable=False),
    Column("calendar", AnyText, nullable=False),
    Column("href", AnyText, nullable=False),
    Column("uid", AnyText, nullable=False),
    Column("starts_at", WallClock, nullable=False),
    Column("ends_at", WallClock, nullable=False),
    Column("recurring", Boolean, nullable=False),
    _text("asked_digest"),
    _text("title_digest"),
    _text("times_digest"),
    UniqueConstraint("account", "calendar", "href"),
    Index(None, "agent_id"),
)

suppression = Table(
    "suppression",
    metadata,
    _agent(),
    Column("provenance", AnyText, nullable=False),  # JSON
    Column("occurrence_start", WallClock, nullable=False),
    Column("occurrence_end", WallClock, nullable=False),
    Column("starts_at", WallClock, nullable=False),
    Column("ends_at", WallClock, nullable=False),
    PrimaryKeyConstraint("agent_id", "provenance", "occurrence_start", "occurrence_end", "starts_at", "ends_at"),
)

# --- work ----------------------------------------------------------------------------------------------------
# Run ids are not foreign keys: a run's row may be purged before what it left.

intent = Table(
    "intent",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("run_id", AnyText, nullable=False),
    _agent(),
    Column("digest", AnyText, nullable=False),  # of the operation
    Column("opened_at", Instant, nullable=False),
    Column("highest_absence_id", Identifier, nullable=False),
    Column("outcome", AnyText),  # NULL: open
    Column("operation", LargeBinary),  # erased when it closes, and so is the pre-image
    Column("before", LargeBinary),
    CheckConstraint("outcome IS NULL OR (operation IS NULL AND before IS NULL)", name="erased"),
    Index(
        "ix_intent_open",
        "agent_id",
        sqlite_where=text("outcome IS NULL"),
        postgresql_where=text("outcome IS NULL"),
    ),
    sqlite_autoincrement=True,  # an id never names two intents
)

hold = Table(
    "hold",
    metadata,
    _agent(),
    Column("digest", AnyText, nullable=False),
    Column("run_id", AnyText, nullable=False),
    Column("since", Instant, nullable=False),
    Column("op_class", AnyText, nullable=False),
    Column("reason", AnyText, nullable=False),
    Column("explanation", AnyText, nullable=False),
    Column("side", AnyText, nullable=False),
    Column("action", AnyText, nullable=False),
    Column("kind", AnyText, nullable=False),
    Column("rdv_id", Identifier),
    Column("absence_id", Identifier),
    _text("href"),
    Column("at_time", WallClock, nullable=False),
    PrimaryKeyConstraint("agent_id", "digest"),
    _one_of("op_class", OperationClass),
    _one_of("reason", HoldReason),
    _one_of("side", Side),
    _one_of("action", Action),
    _one_of("kind", ObjectKind),
)

conflict = Table(
    "conflict",
    metadata,
    _agent(),
    Column("digest", AnyText, nullable=False),
    Column("run_id", AnyText, nullable=False),  # that found it
    Column("since", Instant, nullable=False),
    Column("kind", AnyText, nullable=False),
    Column("reason", AnyText, nullable=False),
    Column("rdv_id", Identifier),
    Column("absence_id", Identifier),
    _text("href"),
    Column("starts_at", WallClock),
    Column("ends_at", WallClock),
    Column("tell", AnyText, nullable=False),  # JSON: whom the rules name
    Column("told_at", Instant),
    Column("over_at", Instant),  # over, and still to be told
    PrimaryKeyConstraint("agent_id", "digest"),
)

approval = Table(
    "approval",
    metadata,
    _agent(),
    Column("digest", AnyText, nullable=False),
    Column("approved_at", Instant, nullable=False),
    Column("approved_by", AnyText, nullable=False),
    PrimaryKeyConstraint("agent_id", "digest"),
)

run = Table(
    "run",
    metadata,
    Column("run_id", AnyText, primary_key=True),
    Column("started_at", Instant, nullable=False, index=True),
    Column("finished_at", Instant),
    Column("dry_run", Boolean, nullable=False),
    Column("agents", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("held", Integer, nullable=False),
    Column("set_aside", Integer, nullable=False),
    Column("conflicts", Integer, nullable=False),
    Column("unsettled", Integer, nullable=False),
    Column("problems", AnyText, nullable=False),  # JSON
    Column("requests", AnyText, nullable=False),  # JSON
    Column("waiting", Integer, nullable=False, server_default="0"),
)

agent_history = Table(
    "agent_history",
    metadata,
    Column("agent_id", Identifier, ForeignKey("linked_agent.agent_id"), primary_key=True, autoincrement=False),
    Column("content", AnyText, nullable=False),  # JSON: what the guard remembers
)

pin = Table(
    "pin",
    metadata,
    _agent(),
    _text("thing"),
    Column("number", Identifier, nullable=False),
    _text("version"),
    _text("digest"),
    _text("reason"),
    Column("at", Instant, nullable=False),
    _text("by"),
    PrimaryKeyConstraint("agent_id", "thing", "number"),
    _one_of("thing", PinnedThing),
)

write_count = Table(
    "write_count",
    metadata,
    _text("remote"),
    Column("hour", Instant, nullable=False),  # the clock hour, by its beginning
    Column("writes", Integer, nullable=False),
    PrimaryKeyConstraint("remote", "hour"),
)

agent_run = Table(
    "agent_run",
    metadata,
    Column("agent_id", Identifier, ForeignKey("linked_agent.agent_id"), primary_key=True, autoincrement=False),
    Column("run_id", AnyText, nullable=False),
    Column("ended_at", Instant, nullable=False),
    Column("complete_at", Instant),  # end of the last run that was proven complete
    Column("set_aside", Integer, nullable=False),
    Column("problem", AnyText),  # JSON
)

first_plan = Table(
    "first_plan",
    metadata,
    Column("agent_id", Identifier, ForeignKey("linked_agent.agent_id"), primary_key=True, autoincrement=False),
    Column("made_at", Instant, nullable=False),
    Column("pairs", Integer, nullable=False),
    Column("calendar_writes", Integer, nullable=False),
    Column("rdv_solidarites_writes", Integer, nullable=False),
    Column("weekly_minutes", Integer, nullable=False),
    Column("near_twins", Integer, nullable=False),
)

# --- alerts --------------------------------------------------------------------------------------------------

alert = Table(
    "alert",
    metadata,
    Column("key", AnyText, primary_key=True),  # keyed digest of the cause
    Column("first_seen", Instant, nullable=False),
    Column("gone_at", Instant),
    Column("told_at", Instant),  # NULL: nobody was told
    Column("last_told_at", Instant),
    Column("times", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),  # the cause
)

alert_message = Table(
    "alert_message",
    metadata,
    Column("id", AnyText, primary_key=True),
    Column("channel", AnyText, nullable=False),
    Column("addressees", AnyText, nullable=False),  # keyed digest of whom it is for
    Column("made_at", Instant, nullable=False),
    Column("next_at", Instant, nullable=False),  # not before that
    Column("attempts", Integer, nullable=False),
    Column("sent_at", Instant),
    Column("given_up_at", Instant),
    Column("content", LargeBinary),  # NULL: it is on its way no more
)

# --- journal -------------------------------------------------------------------------------------------------
# Append-only: triggers refuse every UPDATE, and every DELETE of an entry that no anchor covers (`journal_checkpoint`).
# The pre-images are apart, so that they can be purged or erased and the chains stay whole.

journal = Table(
    "journal",
    metadata,
    # Given by `gateway.journal.log`, without gaps, since it is part of what the digest covers.
    Column("id", Identifier, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("run_id", AnyText, nullable=False),
    Column("agent_id", Identifier),
    Column("side", AnyText, nullable=False),
    Column("action", AnyText, nullable=False),
    Column("object", AnyText, nullable=False),
    Column("reference", AnyText, nullable=False),
    Column("rule", AnyText, nullable=False),
    Column("fields", AnyText, nullable=False),  # JSON, names only
    Column("before_digest", AnyText, nullable=False),  # keyed, of the pre-image; "" if there was none
    Column("after_digest", AnyText, nullable=False),
    Column("by", AnyText, nullable=False, server_default=""),
    Column("chain", Identifier, nullable=False, server_default="0"),  # the agent's id; 0: the gateway's own
    Column("sequence", Identifier, nullable=False, server_default="0"),  # in its chain, from 1
    Column("content_digest", AnyText, nullable=False, server_default=""),  # keyed, of the encrypted pre-image
    Column("previous", AnyText, nullable=False, server_default=""),  # digest of the one before it in its chain
    Column("digest", AnyText, nullable=False, server_default=""),
    Index(None, "agent_id", "id"),
    Index(None, "run_id", "id"),
    Index("ix_journal_chain_sequence", "chain", "sequence", unique=True),
)

change_count = Table(  # kept by triggers: see migration 0011
    "change_count",
    metadata,
    Column("kind", AnyText, nullable=False),  # agent: what is known of one, but for events; calendar: its events
    Column("id", Identifier, nullable=False),  # the agent's, or the row's in calendar_state
    Column("changes", Identifier, nullable=False),
    PrimaryKeyConstraint("kind", "id"),
)

undo_step = Table(
    "undo_step",
    metadata,
    Column("journal_id", Identifier, primary_key=True, autoincrement=False),  # a step may outlive its entry
    Column("step", AnyText, nullable=False),  # JSON: ids, times and digests
)

journal_content = Table(
    "journal_content",
    metadata,
    Column("journal_id", Identifier, ForeignKey("journal.id"), primary_key=True, autoincrement=False),
    Column("before", LargeBinary, nullable=False),
)

journal_checkpoint = Table(
    "journal_checkpoint",
    metadata,
    Column("number", Identifier, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("last_id", Identifier, nullable=False),
    Column("is_anchor", Boolean, nullable=False),  # entries up to `last_id` were removed, or may be
    Column("statement", AnyText, nullable=False),  # JSON, signed
)

# --- watching ------------------------------------------------------------------------------------------------

slow_step = Table(
    "slow_step",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("run_id", AnyText, nullable=False),
    Column("agent_id", Identifier),
    Column("step", AnyText, nullable=False),
    Column("system", AnyText, nullable=False),
    Column("milliseconds", Integer, nullable=False),
    Column("waited", Integer, nullable=False),  # of them, and so is `remote`
    Column("remote", Integer, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("received", Identifier, nullable=False),  # bytes
    Column("counts", AnyText, nullable=False),  # JSON
    Column("failure", AnyText),  # the kind of error; NULL: none
)

# --- feeds ---------------------------------------------------------------------------------------------------

feed_link = Table(
    "feed_link",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("purpose", AnyText, nullable=False),
    Column("subject_key", Identifier, nullable=False),  # of an usager a keyed digest, else the id
    Column("subject", LargeBinary, nullable=False),  # the id
    Column("level", AnyText, nullable=False),
    Column("language", AnyText, nullable=False),
    Column("past_days", Integer, nullable=False),
    Column("future_days", Integer, nullable=False),
    Column("organisation_id", Identifier),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Column("content_digest", AnyText, nullable=False),  # keyed, of the feed as it was made last; "": never
    Column("changed_at", Instant),
    Index("ix_feed_link_purpose_subject_key", "purpose", "subject_key"),
    sqlite_autoincrement=True,  # a number is never given twice
)

feed_token = Table(
    "feed_token",
    metadata,
    Column("hash", AnyText, primary_key=True),  # SHA-256 of 256 random bits
    Column("link_id", Identifier, ForeignKey("feed_link.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", Instant, nullable=False),
    Column("ends_at", Instant),  # it was rotated
)

feed_entry = Table(
    "feed_entry",
    metadata,
    Column("link_id", Identifier, ForeignKey("feed_link.id", ondelete="CASCADE"), nullable=False),
    Column("uid", AnyText, nullable=False),
    Column("digest", AnyText, nullable=False),  # keyed
    Column("sequence", Integer, nullable=False),
    Column("changed_at", Instant, nullable=False),
    PrimaryKeyConstraint("link_id", "uid"),
    sqlite_with_rowid=False,
)

feed_use = Table(
    "feed_use",
    metadata,
    Column("link_id", Identifier, ForeignKey("feed_link.id", ondelete="CASCADE"), nullable=False),
    Column("day", Date, nullable=False),
    Column("readers", Integer, nullable=False),
    PrimaryKeyConstraint("link_id", "day"),
    sqlite_with_rowid=False,
)

feed_change = Table(
    "feed_change",
    metadata,
    Column("kind", AnyText, nullable=False),
    Column("id", Identifier, autoincrement=False, nullable=False),
    Column("tick", Identifier, nullable=False, index=True),  # one more than the last one of all
    PrimaryKeyConstraint("kind", "id"),
)

# --- business applications -----------------------------------------------------------------------------------

api_token = Table(
    "api_token",
    metadata,
    Column("id", AnyText, primary_key=True),
    Column("digest", AnyText, nullable=False),  # keyed, of the whole token
    Column("name", AnyText, nullable=False),
    Column("scopes", AnyText, nullable=False),  # JSON
    Column("agent_ids", AnyText, nullable=False),  # JSON; with `organisation_ids`, both empty: everybody
    Column("organisation_ids", AnyText, nullable=False),  # JSON
    Column("made_at", Instant, nullable=False),
    Column("made_by", AnyText, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("last_used_at", Instant),
    Column("revoked_at", Instant),
)

business_event = Table(
    "business_event",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("kind", AnyText, nullable=False),
    Column("at", Instant, nullable=False, index=True),
    Column("agent_id", Identifier, nullable=False),
    Column("organisation_id", Identifier),
    Column("data", AnyText, nullable=False),  # JSON: ids, states and instants
    sqlite_autoincrement=True,  # an id never names two events: cursors count on it
)

business_known = Table(
    "business_known",
    metadata,
    Column("agent_id", Identifier, nullable=False),
    Column("kind", AnyText, nullable=False),
    Column("key", AnyText, nullable=False),
    Column("value", AnyText, nullable=False),  # JSON: as it was told
    PrimaryKeyConstraint("agent_id", "kind", "key"),
)

business_target = Table(
    "business_target",
    metadata,
    Column("name", AnyText, primary_key=True),
    Column("cursor", Identifier, nullable=False),  # the last event that it is done with
    Column("attempts", Integer, nullable=False),
    Column("next_at", Instant),
    Column("failing_since", Instant),
    Column("last_taken_at", Instant),
    Column("taken", Identifier, nullable=False),
    Column("dead", Identifier, nullable=False),
    Column("last_dead_at", Instant),
)
