"""Home organisation and service of agents; labels of blocks; which title patterns a calendar was read with; when a
copy was written; conflicts that are kept until they are over. Times of events tell kinds of busy."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import AnyText, Identifier, Instant, WallClock

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_AGENTS = ("linked_agent", "matched_agent")


def upgrade() -> None:
    for table in _AGENTS:
        op.add_column(table, sa.Column("organisation_id", Identifier))
        op.add_column(table, sa.Column("service_id", Identifier))
    op.add_column("pool_block", sa.Column("label", AnyText(), nullable=False, server_default=""))
    op.add_column("calendar_state", sa.Column("patterns", AnyText(), nullable=False, server_default=""))
    op.add_column("agreed_copy", sa.Column("written_at", Instant))
    op.create_table(
        "conflict",
        sa.Column("agent_id", Identifier, nullable=False),
        sa.Column("digest", AnyText(), nullable=False),
        sa.Column("run_id", AnyText(), nullable=False),
        sa.Column("since", Instant, nullable=False),
        sa.Column("kind", AnyText(), nullable=False),
        sa.Column("reason", AnyText(), nullable=False),
        sa.Column("rdv_id", Identifier),
        sa.Column("absence_id", Identifier),
        sa.Column("href", AnyText(), nullable=False),
        sa.Column("starts_at", WallClock),
        sa.Column("ends_at", WallClock),
        sa.Column("tell", AnyText(), nullable=False),
        sa.Column("told_at", Instant),
        sa.ForeignKeyConstraint(["agent_id"], ["linked_agent.agent_id"], name=op.f("fk_conflict_agent_id")),
        sa.PrimaryKeyConstraint("agent_id", "digest", name=op.f("pk_conflict")),
    )
    _rewrite('"v":1', '"v":2', '"free":true', '"is":"free"')


def downgrade() -> None:
    # What the former code cannot read is read anew from the servers.
    op.execute("UPDATE calendar_state SET cursor = NULL, mark = ''")
    op.execute("DELETE FROM observed_event")
    op.drop_table("conflict")
    op.drop_column("agreed_copy", "written_at")
    op.drop_column("calendar_state", "patterns")
    op.drop_column("pool_block", "label")
    for table in _AGENTS:
        op.drop_column(table, "service_id")
        op.drop_column(table, "organisation_id")


def _rewrite(*pairs: str) -> None:
    """The stored form of times: version 2 names the kind of availability where version 1 said free or not."""
    statement = sa.text(
        "UPDATE observed_event SET times = replace(replace(times, :v1, :v2), :free1, :free2) WHERE times IS NOT NULL"
    )
    op.get_bind().execute(statement, dict(zip(("v1", "v2", "free1", "free2"), pairs, strict=True)))
