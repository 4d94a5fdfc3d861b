"""What an undo needs of each write."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import AnyText, Identifier

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "undo_step",
        sa.Column("journal_id", Identifier, autoincrement=False, nullable=False),
        sa.Column("step", AnyText(), nullable=False),
        sa.PrimaryKeyConstraint("journal_id", name=op.f("pk_undo_step")),
    )


def downgrade() -> None:
    op.drop_table("undo_step")
