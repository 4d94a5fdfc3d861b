"""The slowest steps of runs, and what they were about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import AnyText, Identifier, Instant

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "slow_step",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("run_id", AnyText(), nullable=False),
        sa.Column("agent_id", Identifier),
        sa.Column("step", AnyText(), nullable=False),
        sa.Column("system", AnyText(), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("waited", sa.Integer(), nullable=False),
        sa.Column("remote", sa.Integer(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("received", Identifier, nullable=False),
        sa.Column("counts", AnyText(), nullable=False),
        sa.Column("failure", AnyText()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slow_step")),
    )


def downgrade() -> None:
    op.drop_table("slow_step")
