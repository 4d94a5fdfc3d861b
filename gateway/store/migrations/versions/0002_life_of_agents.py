"""What is known of agents before they are enrolled, their waves, and what their first plans come to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import AnyText, Identifier, Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("linked_agent", sa.Column("wave", sa.Integer(), nullable=True))
    op.create_table(
        "matched_agent",
        sa.Column("agent_id", Identifier, autoincrement=False, nullable=False),
        sa.Column("account", AnyText(), nullable=False),
        sa.Column("sources", AnyText(), nullable=False),
        sa.Column("target", AnyText(), nullable=False),
        sa.Column("zone", AnyText(), nullable=False),
        sa.Column("wave", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("agent_id", name=op.f("pk_matched_agent")),
    )
    op.create_table(
        "first_plan",
        sa.Column("agent_id", Identifier, autoincrement=False, nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.Column("pairs", sa.Integer(), nullable=False),
        sa.Column("calendar_writes", sa.Integer(), nullable=False),
        sa.Column("rdv_solidarites_writes", sa.Integer(), nullable=False),
        sa.Column("weekly_minutes", sa.Integer(), nullable=False),
        sa.Column("near_twins", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["linked_agent.agent_id"], name=op.f("fk_first_plan_agent_id")),
        sa.PrimaryKeyConstraint("agent_id", name=op.f("pk_first_plan")),
    )


def downgrade() -> None:
    op.drop_table("first_plan")
    op.drop_table("matched_agent")
    op.drop_column("linked_agent", "wave")
