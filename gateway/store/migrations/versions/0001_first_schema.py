"""The first schema.

The journal is append-only in the database itself: triggers refuse every UPDATE of it, and every DELETE of an entry.
A pre-image (`journal_content`) can be deleted, so that a person's content can be erased, and never be replaced.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import AnyText, Identifier, Instant, WallClock

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_KEPT = (("journal", "UPDATE"), ("journal", "DELETE"), ("journal_content", "UPDATE"))
_TABLES = (
    "meta",
    "secret",
    "linked_agent",
    "linked_agent_source",
    "calendar_state",
    "observed_event",
    "organisation_state",
    "rdv_window",
    "observed_rdv",
    "observed_rdv_agent",
    "observed_absence",
    "agreed_copy",
    "pool_block",
    "agreed_mirror",
    "suppression",
    "intent",
    "hold",
    "approval",
    "run",
    "agent_run",
    "journal",
    "journal_content",
)


def upgrade() -> None:
    _create_own()
    _create_observed_calendars()
    _create_observed_rdv_solidarites()
    _create_agreed()
    _create_work()
    _create_runs()
    _create_journal()
    _refuse_changes_of_the_journal()


def downgrade() -> None:
    for name in reversed(_TABLES):
        op.drop_table(name)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change_of_journal()")


def _create_own() -> None:
    op.create_table(
        "meta",
        sa.Column("name", AnyText(), nullable=False),
        sa.Column("value", AnyText(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_meta")),
    )
    op.create_table(
        "secret",
        sa.Column("name", AnyText(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_secret")),
    )
    op.create_table(
        "linked_agent",
        sa.Column("agent_id", Identifier, autoincrement=False, nullable=False),
        sa.Column("zone", AnyText(), nullable=False),
        sa.Column("target_account", AnyText(), nullable=False),
        sa.Column("target_calendar", AnyText(), nullable=False),
        sa.Column("state", AnyText(), nullable=False),
        sa.Column("first_run_approved", sa.Boolean(), nullable=False),
        sa.CheckConstraint("state IN ('first_run', 'live', 'paused', 'left')", name=op.f("ck_linked_agent_state")),
        sa.PrimaryKeyConstraint("agent_id", name=op.f("pk_linked_agent")),
    )
    op.create_table(
        "linked_agent_source",
        sa.Column("agent_id", Identifier, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("account", AnyText(), nullable=False),
        sa.Column("calendar", AnyText(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["linked_agent.agent_id"], name=op.f("fk_linked_agent_source_agent_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("agent_id", "position", name=op.f("pk_linked_agent_source")),
        sa.UniqueConstraint(
            "agent_id", "account", "calendar", name=op.f("uq_linked_agent_source_agent_id_account_calendar")
        ),
    )


def _create_observed_calendars() -> None:
    op.create_table(
        "calendar_state",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("account", AnyText(), nullable=False),
        sa.Column("calendar", AnyText(), nullable=False),
        sa.Column("cursor", AnyText(), nullable=True),
        sa.Column("mark", AnyText(), nullable=False),
        sa.Column("read_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_state")),
        sa.UniqueConstraint("account", "calendar", name=op.f("uq_calendar_state_account_calendar")),
    )
    op.create_table(
        "observed_event",
        sa.Column("calendar_id", Identifier, nullable=False),
        sa.Column("href", AnyText(), nullable=False),
        sa.Column("version", AnyText(), nullable=False),
        sa.Column("raw_digest", AnyText(), nullable=False),
        sa.Column("uid", AnyText(), nullable=False),
        sa.Column("marker", AnyText(), nullable=True),
        sa.Column("native", sa.Boolean(), nullable=False),
        sa.Column("times", AnyText(), nullable=True),
        sa.Column("set_aside", AnyText(), nullable=False),
        sa.Column("owned_digest", AnyText(), nullable=False),
        sa.Column("times_digest", AnyText(), nullable=False),
        sa.Column("title_digest", AnyText(), nullable=False),
        sa.Column("notes_digest", AnyText(), nullable=False),
        sa.ForeignKeyConstraint(
            ["calendar_id"], ["calendar_state.id"], name=op.f("fk_observed_event_calendar_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("calendar_id", "href", name=op.f("pk_observed_event")),
        sqlite_with_rowid=False,
    )


def _create_observed_rdv_solidarites() -> None:
    op.create_table(
        "organisation_state",
        sa.Column("id", Identifier, autoincrement=False, nullable=False),
        sa.Column("name", AnyText(), nullable=False),
        sa.Column("agent_ids", AnyText(), nullable=False),
        sa.Column("agents_epoch", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisation_state")),
    )
    op.create_table(
        "rdv_window",
        sa.Column("organisation_id", Identifier, nullable=False),
        sa.Column("starts_at", Instant, nullable=False),
        sa.Column("ends_at", Instant, nullable=False),
        sa.Column("read_at", Instant, nullable=False),
        sa.CheckConstraint("starts_at <= ends_at", name=op.f("ck_rdv_window_order")),
        sa.PrimaryKeyConstraint("organisation_id", "starts_at", "ends_at", name=op.f("pk_rdv_window")),
    )
    op.create_table(
        "observed_rdv",
        sa.Column("id", Identifier, autoincrement=False, nullable=False),
        sa.Column("organisation_id", Identifier, nullable=False),
        sa.Column("starts_at_server", Instant, nullable=False),
        sa.Column("service_id", Identifier, nullable=True),
        sa.Column("presence", AnyText(), nullable=False),
        sa.Column("missing_because", AnyText(), nullable=False),
        sa.Column("missing_readings", sa.Integer(), nullable=False),
        sa.Column("agents_epoch", sa.Integer(), nullable=False),
        sa.Column("digest", AnyText(), nullable=False),
        sa.Column("read_at", Instant, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("presence IN ('present', 'gone', 'unknown')", name=op.f("ck_observed_rdv_presence")),
        sa.CheckConstraint("missing_readings >= 0", name=op.f("ck_observed_rdv_missing_readings")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observed_rdv")),
    )
    op.create_index(op.f("ix_observed_rdv_organisation_id"), "observed_rdv", ["organisation_id"])
    op.create_table(
        "observed_rdv_agent",
        sa.Column("rdv_id", Identifier, nullable=False),
        sa.Column("agent_id", Identifier, nullable=False),
        sa.ForeignKeyConstraint(
            ["rdv_id"], ["observed_rdv.id"], name=op.f("fk_observed_rdv_agent_rdv_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("rdv_id", "agent_id", name=op.f("pk_observed_rdv_agent")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_observed_rdv_agent_agent_id"), "observed_rdv_agent", ["agent_id"])
    op.create_table(
        "observed_absence",
        sa.Column("id", Identifier, autoincrement=False, nullable=False),
        sa.Column("agent_id", Identifier, nullable=False),
        sa.Column("starts_at", WallClock, nullable=False),
        sa.Column("ends_at", WallClock, nullable=False),
        sa.Column("rrule", AnyText(), nullable=True),
        sa.Column("title_digest", AnyText(), nullable=False),
        sa.Column("title", sa.LargeBinary(), nullable=False),
        sa.Column("presence", AnyText(), nullable=False),
        sa.Column("missing_because", AnyText(), nullable=False),
        sa.CheckConstraint("presence IN ('present', 'gone', 'unknown')", name=op.f("ck_observed_absence_presence")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observed_absence")),
    )
    op.create_index(op.f("ix_observed_absence_agent_id"), "observed_absence", ["agent_id"])


def _create_agreed() -> None:
    op.create_table(
        "agreed_copy",
        sa.Column("rdv_id", Identifier, nullable=False),
        sa.Column("agent_id", Identifier, nullable=False),
        sa.Column("account", AnyText(), nullable=False),
        sa.Column("calendar", AnyText(), nullable=False),
        sa.Column("href", AnyText(), nullable=False),
        sa.Column("uid", AnyText(), nullable=False),
        sa.Column("asked_digest", AnyText(), nullable=False),
        sa.Column("owned_digest", AnyText(), nullable=False),
        sa.Column("notes_digest", AnyText(), nullable=False),
        sa.Column("ends_at", Instant, nullable=False),
        sa.Column("put_back_on", sa.Date(), nullable=True),
        sa.Column("put_back_count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["linked_agent.agent_id"], name=op.f("fk_agreed_copy_agent_id")),
        sa.PrimaryKeyConstraint("rdv_id", "agent_id", name=op.f("pk_agreed_copy")),
        sa.UniqueConstraint("account", "calendar", "href", name=op.f("uq_agreed_copy_account_calendar_href")),
    )
    op.create_index(op.f("ix_agreed_copy_agent_id"), "agreed_copy", ["agent_id"])
    op.create_table(
        "pool_block",
        sa.Column("absence_id", Identifier, autoincrement=False, nullable=False),
        sa.Column("agent_id", Identifier, nullable=False),
        sa.Column("starts_at", WallClock, nullable=False),
        sa.Column("ends_at", WallClock, nullable=False),
        sa.Column("provenance", AnyText(), nullable=False),
        sa.Column("origin", AnyText(), nullable=False),
        sa.Column("approved", sa.Boolean(), nullable=False),
        sa.CheckConstraint("origin IN ('created', 'found', 'adopted', 'released')", name=op.f("ck_pool_block_origin")),
        sa.ForeignKeyConstraint(["agent_id"], ["linked_agent.agent_id"], name=op.f("fk_pool_block_agent_id")),
        sa.PrimaryKeyConstraint("absence_id", name=op.f("pk_pool_block")),
    )
    op.create_index(op.f("ix_pool_block_agent_id"), "pool_block", ["agent_id"])
    op.create_table(
        "agreed_mirror",
        sa.Column("absence_id", Identifier, autoincrement=False, nullable=False),
        sa.Column("agent_id", Identifier, nullable=False),
        sa.Column("account", AnyText(), nullable=False),
        sa.Column("calendar", AnyText(), nullable=False),
        sa.Column("href", AnyText(), nullable=False),
        sa.Column("uid", AnyText(), nullable=False),
        sa.Column("starts_at", WallClock, nullable=False),
        sa.Column("ends_at", WallClock, nullable=False),
        sa.Column("recurring", sa.Boolean(), nullable=False),
        sa.Column("asked_digest", AnyText(), nullable=False),
        sa.Column("title_digest", AnyText(), nullable=False),
        sa.Column("times_digest", AnyText(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["linked_agent.agent_id"], name=op.f("fk_agreed_mirror_agent_id")),
        sa.PrimaryKeyConstraint("absence_id", name=op.f("pk_agreed_mirror")),
        sa.UniqueConstraint("account", "calendar", "href", name=op.f("uq_agreed_mirror_account_calendar_href")),
    )
    op.create_index(op.f("ix_agreed_mirror_agent_id"), "agreed_mirror", ["agent_id"])
    op.create_table(
        "suppression",
        sa.Column("agent_id", Identifier, nullable=False),
        sa.Column("provenance", AnyText(), nullable=False),
        sa.Column("occurrence_start", WallClock, nullable=False),
        sa.Column("occurrence_end", WallClock, nullable=False),
        sa.Column("starts_at", WallClock, nullable=False),
        sa.Column("ends_at", WallClock, nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["linked_agent.agent_id"], name=op.f("fk_suppression_agent_id")),
        sa.PrimaryKeyConstraint(
            "agent_id",
            "provenance",
            "occurrence_start",
            "occurrence_end",
            "starts_at",
            "ends_at",
            name=op.f("pk_suppression"),
        ),
    )


def _create_work() -> None:
    op.create_table(
        "intent",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("run_id", AnyText(), nullable=False),
        sa.Column("agent_id", Identifier, nullable=False),
        sa.Column("digest", AnyText(), nullable=False),
        sa.Column("opened_at", Instant, nullable=False),
        sa.Column("highest_absence_id", Identifier, nullable=False),
        sa.Column("outcome", AnyText(), nullable=True),
        sa.Column("operation", sa.LargeBinary(), nullable=True),
        sa.Column("before", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("outcome IS NULL OR (operation IS NULL AND before IS NULL)", name=op.f("ck_intent_erased")),
        sa.ForeignKeyConstraint(["agent_id"], ["linked_agent.agent_id"], name=op.f("fk_intent_agent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intent")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_intent_open",
        "intent",
        ["agent_id"],
        sqlite_where=sa.text("outcome IS NULL"),
        postgresql_where=sa.text("outcome IS NULL"),
    )
    op.create_table(
        "hold",
        sa.Column("agent_id", Identifier, nullable=False),
        sa.Column("digest", AnyText(), nullable=False),
        sa.Column("run_id", AnyText(), nullable=False),
        sa.Column("since", Instant, nullable=False),
        sa.Column("op_class", AnyText(), nullable=False),
        sa.Column("reason", AnyText(), nullable=False),
        sa.Column("explanation", AnyText(), nullable=False),
        sa.Column("side", AnyText(), nullable=False),
        sa.Column("action", AnyText(), nullable=False),
        sa.Column("kind", AnyText(), nullable=False),
        sa.Column("rdv_id", Identifier, nullable=True),
        sa.Column("absence_id", Identifier, nullable=True),
        sa.Column("href", AnyText(), nullable=False),
        sa.Column("at_time", WallClock, nullable=False),
        sa.CheckConstraint("action IN ('create', 'update', 'delete', 'pair')", name=op.f("ck_hold_action")),
        sa.CheckConstraint("kind IN ('rdv_copy', 'busy_block', 'absence_event', 'absence')", name=op.f("ck_hold_kind")),
        sa.CheckConstraint(
            "op_class IN ('cover', 'uncover', 'copy', 'uncopy', 'mirror')", name=op.f("ck_hold_op_class")
        ),
        sa.CheckConstraint(
            "reason IN ('first_run', 'many_removals', 'unproven', 'found_absence', 'native_sync')",
            name=op.f("ck_hold_reason"),
        ),
        sa.CheckConstraint("side IN ('calendar', 'rdv_solidarites')", name=op.f("ck_hold_side")),
        sa.ForeignKeyConstraint(["agent_id"], ["linked_agent.agent_id"], name=op.f("fk_hold_agent_id")),
        sa.PrimaryKeyConstraint("agent_id", "digest", name=op.f("pk_hold")),
    )
    op.create_table(
        "approval",
        sa.Column("agent_id", Identifier, nullable=False),
        sa.Column("digest", AnyText(), nullable=False),
        sa.Column("approved_at", Instant, nullable=False),
        sa.Column("approved_by", AnyText(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["linked_agent.agent_id"], name=op.f("fk_approval_agent_id")),
        sa.PrimaryKeyConstraint("agent_id", "digest", name=op.f("pk_approval")),
    )


def _create_runs() -> None:
    op.create_table(
        "run",
        sa.Column("run_id", AnyText(), nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("finished_at", Instant, nullable=True),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("agents", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("held", sa.Integer(), nullable=False),
        sa.Column("set_aside", sa.Integer(), nullable=False),
        sa.Column("conflicts", sa.Integer(), nullable=False),
        sa.Column("unsettled", sa.Integer(), nullable=False),
        sa.Column("problems", AnyText(), nullable=False),
        sa.Column("requests", AnyText(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run")),
    )
    op.create_index(op.f("ix_run_started_at"), "run", ["started_at"])
    op.create_table(
        "agent_run",
        sa.Column("agent_id", Identifier, autoincrement=False, nullable=False),
        sa.Column("run_id", AnyText(), nullable=False),
        sa.Column("ended_at", Instant, nullable=False),
        sa.Column("complete_at", Instant, nullable=True),
        sa.Column("set_aside", sa.Integer(), nullable=False),
        sa.Column("problem", AnyText(), nullable=True),
        sa.ForeignKeyConstraint(["agent_id"], ["linked_agent.agent_id"], name=op.f("fk_agent_run_agent_id")),
        sa.PrimaryKeyConstraint("agent_id", name=op.f("pk_agent_run")),
    )


def _create_journal() -> None:
    op.create_table(
        "journal",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("run_id", AnyText(), nullable=False),
        sa.Column("agent_id", Identifier, nullable=True),
        sa.Column("side", AnyText(), nullable=False),
        sa.Column("action", AnyText(), nullable=False),
        sa.Column("object", AnyText(), nullable=False),
        sa.Column("reference", AnyText(), nullable=False),
        sa.Column("rule", AnyText(), nullable=False),
        sa.Column("fields", AnyText(), nullable=False),
        sa.Column("before_digest", AnyText(), nullable=False),
        sa.Column("after_digest", AnyText(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_journal_agent_id_id"), "journal", ["agent_id", "id"])
    op.create_index(op.f("ix_journal_run_id_id"), "journal", ["run_id", "id"])
    op.create_table(
        "journal_content",
        sa.Column("journal_id", Identifier, autoincrement=False, nullable=False),
        sa.Column("before", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["journal_id"], ["journal.id"], name=op.f("fk_journal_content_journal_id")),
        sa.PrimaryKeyConstraint("journal_id", name=op.f("pk_journal_content")),
    )


def _refuse_changes_of_the_journal() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table, action in _KEPT:
            op.execute(
                f"CREATE TRIGGER {table}_refuses_{action.lower()} BEFORE {action} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
            )
        for table, key in (("journal", "id"), ("journal_content", "journal_id")):
            # REPLACE removes the old row without any trigger for a DELETE.
            op.execute(
                f"CREATE TRIGGER {table}_refuses_replace BEFORE INSERT ON {table} "  # noqa: S608 - names from above
                f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key}) "
                "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION refuse_change_of_journal() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the journal is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    for table, action in _KEPT:
        op.execute(
            f"CREATE TRIGGER {table}_refuses_{action.lower()} BEFORE {action} ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change_of_journal()"
        )
    for table in ("journal", "journal_content"):
        op.execute(
            f"CREATE TRIGGER {table}_refuses_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_journal()"
        )
