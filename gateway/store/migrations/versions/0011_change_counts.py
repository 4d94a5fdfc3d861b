"""How often what a plan is made of changed, counted by the database itself: no way of writing can forget it.

A later migration that makes one of these tables anew (as SQLite needs for most changes) makes its triggers anew too.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import AnyText, Identifier

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_OF_AGENT = (
    *("linked_agent", "linked_agent_source", "observed_rdv_agent", "observed_absence"),
    *("agreed_copy", "pool_block", "agreed_mirror", "suppression", "pin", "intent", "agent_history"),
)
_EVENTS = ("INSERT", "UPDATE", "DELETE")


_RDV = ("observed_rdv", "UPDATE")  # one that is new has new rows of its agents; one that goes takes them along
_CONCERNED = (
    "SELECT 'agent', agent_id, 1 FROM ("
    "SELECT agent_id FROM observed_rdv_agent WHERE rdv_id = NEW.id"
    " UNION SELECT agent_id FROM agreed_copy WHERE rdv_id = NEW.id) AS concerned WHERE true"
)


def upgrade() -> None:
    op.create_table(
        "change_count",
        sa.Column("kind", AnyText(), nullable=False),
        sa.Column("id", Identifier, autoincrement=False, nullable=False),
        sa.Column("changes", Identifier, nullable=False),
        sa.PrimaryKeyConstraint("kind", "id", name=op.f("pk_change_count")),
    )
    for event in _EVENTS:
        for table in _OF_AGENT:
            _trigger(table, event, _counted("agent", "agent_id", event))
        _trigger("observed_event", event, _counted("calendar", "calendar_id", event))
    _trigger(*_RDV, _raise(_CONCERNED))


def downgrade() -> None:
    on_table = _is_postgresql()
    for table, event in (*((table, event) for table in (*_OF_AGENT, "observed_event") for event in _EVENTS), _RDV):
        name = _name(table, event)
        op.execute(f"DROP TRIGGER {name} ON {table}" if on_table else f"DROP TRIGGER {name}")
        if on_table:
            op.execute(f"DROP FUNCTION {name}()")
    op.drop_table("change_count")


def _counted(kind: str, column: str, event: str) -> str:
    row = "OLD" if event == "DELETE" else "NEW"
    now = _raise(f"SELECT '{kind}', {row}.{column}, 1 WHERE true")
    if event != "UPDATE":
        return now
    return f"{now} " + _raise(f"SELECT '{kind}', OLD.{column}, 1 WHERE OLD.{column} <> NEW.{column}")  # passed on


def _raise(what: str) -> str:
    return (
        f"INSERT INTO change_count (kind, id, changes) {what}"
        " ON CONFLICT (kind, id) DO UPDATE SET changes = change_count.changes + 1;"
    )


def _trigger(table: str, event: str, body: str) -> None:
    name = _name(table, event)
    if not _is_postgresql():
        op.execute(f"CREATE TRIGGER {name} AFTER {event} ON {table} BEGIN {body} END")
        return
    op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NULL; END $$")
    op.execute(f"CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")


def _name(table: str, event: str) -> str:
    return f"{table}_{event.lower()}_counted"


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
