"""What was said last of things of RDV-Solidarités, and by webhooks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import AnyText, Identifier, Instant

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "last_said",
        sa.Column("kind", AnyText(), nullable=False),
        sa.Column("number", Identifier, autoincrement=False, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("by_us", sa.Boolean(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.CheckConstraint("kind IN ('rdv', 'absence')", name=op.f("ck_last_said_kind")),
        sa.PrimaryKeyConstraint("kind", "number", name=op.f("pk_last_said")),
    )
    op.create_index(op.f("ix_last_said_at"), "last_said", ["at"])
    op.create_table(
        "webhook_delivery",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("digest", AnyText(), nullable=False),
        sa.Column("organisation_id", Identifier, nullable=False),
        sa.Column("received_at", Instant, nullable=False),
        sa.Column("about", AnyText(), nullable=False),
        sa.Column("number", Identifier, nullable=False),
        sa.Column("applied", sa.Boolean(), nullable=False),
        sa.Column("content", sa.LargeBinary()),
        sa.CheckConstraint("NOT applied OR content IS NULL", name=op.f("ck_webhook_delivery_erased")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
        sa.UniqueConstraint("digest", name=op.f("uq_webhook_delivery_digest")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_webhook_delivery_waiting",
        "webhook_delivery",
        ["id"],
        sqlite_where=sa.text("NOT applied"),
        postgresql_where=sa.text("NOT applied"),
    )
    op.create_table(
        "webhook_endpoint",
        sa.Column("organisation_id", Identifier, autoincrement=False, nullable=False),
        sa.Column("channel", AnyText(), nullable=False),
        sa.Column("installed_at", Instant, nullable=False),
        sa.Column("last_received_at", Instant),
        sa.Column("received", Identifier, nullable=False),
        sa.Column("lost", Identifier, nullable=False),
        sa.PrimaryKeyConstraint("organisation_id", "channel", name=op.f("pk_webhook_endpoint")),
    )
    op.create_table(
        "found_first",
        sa.Column("kind", AnyText(), nullable=False),
        sa.Column("number", Identifier, autoincrement=False, nullable=False),
        sa.Column("organisation_id", Identifier, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("kind", "number", name=op.f("pk_found_first")),
    )
    op.create_table(
        "known_record",
        sa.Column("kind", AnyText(), nullable=False),
        sa.Column("number", Identifier, autoincrement=False, nullable=False),
        sa.Column("agent_id", Identifier),
        sa.Column("at", Instant, nullable=False),
        sa.Column("content", sa.LargeBinary()),
        sa.CheckConstraint("kind IN ('plage_ouverture', 'lieu')", name=op.f("ck_known_record_kind")),
        sa.PrimaryKeyConstraint("kind", "number", name=op.f("pk_known_record")),
    )
    op.create_index(op.f("ix_known_record_agent_id"), "known_record", ["agent_id"])


def downgrade() -> None:
    for table in ("known_record", "found_first", "webhook_endpoint", "webhook_delivery", "last_said"):
        op.drop_table(table)
