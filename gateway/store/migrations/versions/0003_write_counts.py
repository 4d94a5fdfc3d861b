"""How many writes each remote got, by clock hour; how many operations of a run wait for a later one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import AnyText, Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "write_count",
        sa.Column("remote", AnyText(), nullable=False),
        sa.Column("hour", Instant, nullable=False),
        sa.Column("writes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("remote", "hour", name=op.f("pk_write_count")),
    )
    op.add_column("run", sa.Column("waiting", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("run", "waiting")
    op.drop_table("write_count")
