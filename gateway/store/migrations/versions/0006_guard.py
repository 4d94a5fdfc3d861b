"""More reasons to hold; what the guard remembers of an agent; pins."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import AnyText, Identifier, Instant, WallClock

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_OLD_REASONS = ("first_run", "many_removals", "unproven", "found_absence", "native_sync")
_NEW_REASONS = (
    "shrunken_calendar",
    "calendar_restored",
    "rdv_solidarites_restored",
    "database_restored",
    "many_freed",
    "many_agents",
)
_OLD_ACTIONS = ("create", "update", "delete", "pair")
_HOLD = sa.table("hold", *(sa.column(name) for name in ("reason", "action")))


def upgrade() -> None:
    _make_holds_again((*_OLD_REASONS, *_NEW_REASONS), (*_OLD_ACTIONS, "accept"))
    op.create_table(
        "agent_history",
        sa.Column("agent_id", Identifier, nullable=False),
        sa.Column("content", AnyText(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["linked_agent.agent_id"], name=op.f("fk_agent_history_agent_id")),
        sa.PrimaryKeyConstraint("agent_id", name=op.f("pk_agent_history")),
    )
    op.create_table(
        "pin",
        sa.Column("agent_id", Identifier, nullable=False),
        sa.Column("thing", AnyText(), nullable=False),
        sa.Column("number", Identifier, nullable=False),
        sa.Column("version", AnyText(), nullable=False),
        sa.Column("digest", AnyText(), nullable=False),
        sa.Column("reason", AnyText(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("by", AnyText(), nullable=False),
        _one_of("pin", "thing", ("rdv", "block", "mirror")),
        sa.ForeignKeyConstraint(["agent_id"], ["linked_agent.agent_id"], name=op.f("fk_pin_agent_id")),
        sa.PrimaryKeyConstraint("agent_id", "thing", "number", name=op.f("pk_pin")),
    )


def downgrade() -> None:
    op.drop_table("pin")
    op.drop_table("agent_history")
    # What the former code cannot name is planned, and held, anew.
    op.execute(sa.delete(_HOLD).where(_HOLD.c.reason.in_(_NEW_REASONS) | (_HOLD.c.action == "accept")))
    _make_holds_again(_OLD_REASONS, _OLD_ACTIONS)


def _make_holds_again(reasons: tuple[str, ...], actions: tuple[str, ...]) -> None:
    """SQLite cannot change a CHECK: the table is made anew with what it held."""
    connection = op.get_bind()
    known = sa.table("hold", *(sa.column(column.name, column.type) for column in _hold_columns()))
    rows = [row._asdict() for row in connection.execute(sa.select(known))]
    op.drop_table("hold")
    made = op.create_table(
        "hold",
        *_hold_columns(),
        _one_of("hold", "op_class", ("cover", "uncover", "copy", "uncopy", "mirror")),
        _one_of("hold", "reason", reasons),
        _one_of("hold", "side", ("calendar", "rdv_solidarites")),
        _one_of("hold", "action", actions),
        _one_of("hold", "kind", ("rdv_copy", "busy_block", "absence_event", "absence")),
        sa.ForeignKeyConstraint(["agent_id"], ["linked_agent.agent_id"], name=op.f("fk_hold_agent_id")),
        sa.PrimaryKeyConstraint("agent_id", "digest", name=op.f("pk_hold")),
    )
    if rows:
        connection.execute(sa.insert(made), rows)


def _hold_columns() -> tuple[sa.Column[Any], ...]:
    texts = ("op_class", "reason", "explanation", "side", "action", "kind")
    return (
        sa.Column("agent_id", Identifier, nullable=False),
        sa.Column("digest", AnyText(), nullable=False),
        sa.Column("run_id", AnyText(), nullable=False),
        sa.Column("since", Instant, nullable=False),
        *(sa.Column(name, AnyText(), nullable=False) for name in texts),
        sa.Column("rdv_id", Identifier),
        sa.Column("absence_id", Identifier),
        sa.Column("href", AnyText(), nullable=False),
        sa.Column("at_time", WallClock, nullable=False),
    )


def _one_of(table: str, column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    allowed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({allowed})", name=op.f(f"ck_{table}_{column}"))
