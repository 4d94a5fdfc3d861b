"""iCal feeds: links, versions of what they hold, which RDVs concern which usager, and what changed of whom, counted by
the database itself: no way of writing can forget it.

A later migration that makes one of these tables anew (as SQLite needs for most changes) makes its triggers anew too.
"""

# ruff: noqa: S608 - statements of constants

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import AnyText, Identifier, Instant

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_EVENTS = ("INSERT", "UPDATE", "DELETE")


def upgrade() -> None:
    op.add_column("observed_rdv", sa.Column("lieu_id", Identifier))
    op.create_index(op.f("ix_observed_rdv_lieu_id"), "observed_rdv", ["lieu_id"])
    op.create_table(
        "observed_participation",
        sa.Column("rdv_id", Identifier, nullable=False),
        sa.Column("participation_id", Identifier, autoincrement=False, nullable=False),
        sa.Column("usager_key", Identifier, nullable=False),
        sa.Column("answerer_key", Identifier),
        sa.PrimaryKeyConstraint("rdv_id", "participation_id", name=op.f("pk_observed_participation")),
        sa.ForeignKeyConstraint(
            ["rdv_id"],
            ["observed_rdv.id"],
            name=op.f("fk_observed_participation_rdv_id_observed_rdv"),
            ondelete="CASCADE",
        ),
        sqlite_with_rowid=False,
    )
    for column in ("usager_key", "answerer_key"):
        op.create_index(op.f(f"ix_observed_participation_{column}"), "observed_participation", [column])
    _make_links()
    op.create_table(
        "feed_change",
        sa.Column("kind", AnyText(), nullable=False),
        sa.Column("id", Identifier, autoincrement=False, nullable=False),
        sa.Column("tick", Identifier, nullable=False),
        sa.PrimaryKeyConstraint("kind", "id", name=op.f("pk_feed_change")),
    )
    op.create_index(op.f("ix_feed_change_tick"), "feed_change", ["tick"])
    for table, event, body in _triggers():
        _trigger(table, event, body)
    # RDVs are read again as a whole: what earlier versions kept of them says neither who is notified nor where.
    op.execute("DELETE FROM rdv_window")


def downgrade() -> None:
    on_table = op.get_bind().dialect.name == "postgresql"
    for table, event, _ in _triggers():
        name = _name(table, event)
        op.execute(f"DROP TRIGGER {name} ON {table}" if on_table else f"DROP TRIGGER {name}")
        if on_table:
            op.execute(f"DROP FUNCTION {name}()")
    for table in ("feed_change", "feed_use", "feed_entry", "feed_token", "feed_link", "observed_participation"):
        op.drop_table(table)
    op.drop_index(op.f("ix_observed_rdv_lieu_id"), "observed_rdv")
    op.drop_column("observed_rdv", "lieu_id")


def _make_links() -> None:
    op.create_table(
        "feed_link",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("purpose", AnyText(), nullable=False),
        sa.Column("subject_key", Identifier, nullable=False),
        sa.Column("subject", sa.LargeBinary(), nullable=False),
        sa.Column("level", AnyText(), nullable=False),
        sa.Column("language", AnyText(), nullable=False),
        sa.Column("past_days", sa.Integer(), nullable=False),
        sa.Column("future_days", sa.Integer(), nullable=False),
        sa.Column("organisation_id", Identifier),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("revoked_at", Instant),
        sa.Column("content_digest", AnyText(), nullable=False),
        sa.Column("changed_at", Instant),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed_link")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_feed_link_purpose_subject_key"), "feed_link", ["purpose", "subject_key"])
    op.create_table(
        "feed_token",
        sa.Column("hash", AnyText(), nullable=False),
        sa.Column("link_id", Identifier, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("ends_at", Instant),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_feed_token")),
        sa.ForeignKeyConstraint(
            ["link_id"], ["feed_link.id"], name=op.f("fk_feed_token_link_id_feed_link"), ondelete="CASCADE"
        ),
    )
    op.create_index(op.f("ix_feed_token_link_id"), "feed_token", ["link_id"])
    op.create_table(
        "feed_entry",
        sa.Column("link_id", Identifier, nullable=False),
        sa.Column("uid", AnyText(), nullable=False),
        sa.Column("digest", AnyText(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("link_id", "uid", name=op.f("pk_feed_entry")),
        sa.ForeignKeyConstraint(
            ["link_id"], ["feed_link.id"], name=op.f("fk_feed_entry_link_id_feed_link"), ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "feed_use",
        sa.Column("link_id", Identifier, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("readers", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("link_id", "day", name=op.f("pk_feed_use")),
        sa.ForeignKeyConstraint(
            ["link_id"], ["feed_link.id"], name=op.f("fk_feed_use_link_id_feed_link"), ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )


def _triggers() -> Iterator[tuple[str, str, str]]:
    """Table, event, what is noted."""
    for event in _EVENTS:
        persons = [f"{each}.{column}" for each in _versions(event) for column in ("usager_key", "answerer_key")]
        yield "observed_participation", event, "".join(_noted("usager", each) for each in persons)
        for table in ("observed_rdv_agent", "observed_absence", "pool_block", "known_record"):
            yield table, event, "".join(_noted("agent", f"{each}.agent_id") for each in _versions(event))
        of_rdv = "".join(
            _noted(kind, f"{each}.{kind}_id") for each in _versions(event) for kind in ("organisation", "lieu")
        )
        yield "observed_rdv", event, of_rdv + (_OF_PERSONS if event == "UPDATE" else "")
        yield "feed_token", event, "".join(_noted("link", f"{each}.link_id", always=True) for each in _versions(event))
    yield "feed_link", "UPDATE", _noted("link", "NEW.id", always=True)


def _versions(event: str) -> tuple[str, ...]:
    return {"INSERT": ("NEW",), "UPDATE": ("OLD", "NEW"), "DELETE": ("OLD",)}[event]


_TICK = "(SELECT COALESCE(MAX(tick), 0) + 1 FROM feed_change)"
_AGAIN = " ON CONFLICT (kind, id) DO UPDATE SET tick = excluded.tick;"


def _noted(kind: str, key: str, *, always: bool = False) -> str:
    """What nobody has a link to is not noted."""
    linked = f"EXISTS (SELECT 1 FROM feed_link WHERE purpose = '{kind}' AND subject_key = {key})"
    return (
        f"INSERT INTO feed_change (kind, id, tick) SELECT '{kind}', {key}, {_TICK}"
        f" WHERE {f'{key} IS NOT NULL' if always else linked}{_AGAIN}"
    )


_PERSONS = (
    "SELECT 'usager' AS kind, usager_key AS key FROM observed_participation WHERE rdv_id = NEW.id"
    " UNION SELECT 'usager', answerer_key FROM observed_participation WHERE rdv_id = NEW.id"
    " UNION SELECT 'agent', agent_id FROM observed_rdv_agent WHERE rdv_id = NEW.id"
)
_OF_PERSONS = (
    f"INSERT INTO feed_change (kind, id, tick) SELECT kind, key, {_TICK} FROM ({_PERSONS}) AS concerned"
    f" WHERE EXISTS (SELECT 1 FROM feed_link WHERE purpose = concerned.kind AND subject_key = concerned.key){_AGAIN}"
)


def _trigger(table: str, event: str, body: str) -> None:
    name = _name(table, event)
    if op.get_bind().dialect.name != "postgresql":
        op.execute(f"CREATE TRIGGER {name} AFTER {event} ON {table} BEGIN {body} END")
        return
    op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NULL; END $$")
    op.execute(f"CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")


def _name(table: str, event: str) -> str:
    return f"{table}_{event.lower()}_fed"
