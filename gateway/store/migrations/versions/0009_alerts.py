"""What was told to whom, and the messages that are on their way."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import AnyText, Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert",
        sa.Column("key", AnyText(), nullable=False),
        sa.Column("first_seen", Instant, nullable=False),
        sa.Column("gone_at", Instant),
        sa.Column("told_at", Instant),
        sa.Column("last_told_at", Instant),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_alert")),
    )
    op.create_table(
        "alert_message",
        sa.Column("id", AnyText(), nullable=False),
        sa.Column("channel", AnyText(), nullable=False),
        sa.Column("addressees", AnyText(), nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.Column("next_at", Instant, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_at", Instant),
        sa.Column("given_up_at", Instant),
        sa.Column("content", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_message")),
    )


def downgrade() -> None:
    op.drop_table("alert_message")
    op.drop_table("alert")
