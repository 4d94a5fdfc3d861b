"""Conflicts that are over and still to be told; what a copy made by RDV-Solidarités itself looks like."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import AnyText, Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("conflict", sa.Column("over_at", Instant))
    op.add_column("observed_event", sa.Column("native_source", AnyText()))
    op.execute("UPDATE observed_event SET native_source = 'sync' WHERE native")
    op.drop_column("observed_event", "native")
    op.execute("ALTER TABLE observed_event RENAME COLUMN native_source TO native")
    # No digest: every calendar is read again, and each event asked where it comes from.
    op.execute("UPDATE calendar_state SET patterns = 'anew'")


def downgrade() -> None:
    op.add_column("observed_event", sa.Column("was_native", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE observed_event SET was_native = native IS NOT NULL")
    op.drop_column("observed_event", "native")
    op.execute("ALTER TABLE observed_event RENAME COLUMN was_native TO native")
    op.drop_column("conflict", "over_at")
