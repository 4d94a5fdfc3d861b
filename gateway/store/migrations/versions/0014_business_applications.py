"""Tokens of the read API, and what business applications are told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import AnyText, Identifier, Instant

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_token",
        sa.Column("id", AnyText(), nullable=False),
        sa.Column("digest", AnyText(), nullable=False),
        sa.Column("name", AnyText(), nullable=False),
        sa.Column("scopes", AnyText(), nullable=False),
        sa.Column("agent_ids", AnyText(), nullable=False),
        sa.Column("organisation_ids", AnyText(), nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.Column("made_by", AnyText(), nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("last_used_at", Instant),
        sa.Column("revoked_at", Instant),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
    )
    op.create_table(
        "business_event",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("kind", AnyText(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("agent_id", Identifier, nullable=False),
        sa.Column("organisation_id", Identifier),
        sa.Column("data", AnyText(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_business_event")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_business_event_at"), "business_event", ["at"])
    op.create_table(
        "business_known",
        sa.Column("agent_id", Identifier, nullable=False),
        sa.Column("kind", AnyText(), nullable=False),
        sa.Column("key", AnyText(), nullable=False),
        sa.Column("value", AnyText(), nullable=False),
        sa.PrimaryKeyConstraint("agent_id", "kind", "key", name=op.f("pk_business_known")),
    )
    op.create_table(
        "business_target",
        sa.Column("name", AnyText(), nullable=False),
        sa.Column("cursor", Identifier, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", Instant),
        sa.Column("failing_since", Instant),
        sa.Column("last_taken_at", Instant),
        sa.Column("taken", Identifier, nullable=False),
        sa.Column("dead", Identifier, nullable=False),
        sa.Column("last_dead_at", Instant),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_business_target")),
    )


def downgrade() -> None:
    for table in ("business_target", "business_known", "business_event", "api_token"):
        op.drop_table(table)
