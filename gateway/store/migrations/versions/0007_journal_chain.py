"""Chains in the journal, who acted, signed checkpoints; what an anchor covers may be removed.

Entries of earlier versions are put into their chains here, which needs the instance's keys.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

from connectors.errors import ITMustAct
from gateway.journal.chain import COLUMNS, NOTHING, Head, chain_of, content_digest, entry_digest
from gateway.keys import Keyring
from gateway.store.columns import AnyText, Identifier, Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_REFUSAL = "the journal is append-only"
_UNCOVERED = "OLD.id > coalesce((SELECT max(last_id) FROM journal_checkpoint WHERE is_anchor), 0)"

_NUMBERS = ("id", "agent_id", "chain", "sequence")
_journal = sa.table(
    "journal",
    *(sa.column(name, AnyText) for name in (*COLUMNS, "digest") if name not in (*_NUMBERS, "at")),
    *(sa.column(name, Identifier) for name in _NUMBERS),
    sa.column("at", Instant),
)
_content = sa.table("journal_content", sa.column("journal_id", Identifier), sa.column("before", sa.LargeBinary))


def upgrade() -> None:
    _drop_triggers("journal_refuses_update", "journal_refuses_delete")
    op.add_column("journal", sa.Column("by", AnyText(), nullable=False, server_default=""))
    op.add_column("journal", sa.Column("chain", Identifier, nullable=False, server_default="0"))
    op.add_column("journal", sa.Column("sequence", Identifier, nullable=False, server_default="0"))
    for name in ("content_digest", "previous", "digest"):
        op.add_column("journal", sa.Column(name, AnyText(), nullable=False, server_default=""))
    op.create_table(
        "journal_checkpoint",
        sa.Column("number", Identifier, autoincrement=False, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("last_id", Identifier, nullable=False),
        sa.Column("is_anchor", sa.Boolean(), nullable=False),
        sa.Column("statement", AnyText(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_journal_checkpoint")),
    )
    if _is_postgresql():
        op.execute("ALTER TABLE journal ALTER COLUMN id DROP DEFAULT")
        op.execute("DROP SEQUENCE IF EXISTS journal_id_seq")
    _chain_entries()
    op.create_index("ix_journal_chain_sequence", "journal", ["chain", "sequence"], unique=True)
    _refuse("journal", "UPDATE")
    _refuse("journal_checkpoint", "UPDATE")
    _refuse_uncovered_removals()


def downgrade() -> None:
    _drop_triggers("journal_refuses_update", "journal_refuses_delete")
    op.execute("DELETE FROM journal_content")  # the former code has not the keys of persons
    op.drop_index("ix_journal_chain_sequence", "journal")
    op.drop_table("journal_checkpoint")
    for name in ("digest", "previous", "content_digest", "sequence", "chain", "by"):
        op.drop_column("journal", name)
    if _is_postgresql():
        op.execute("DROP FUNCTION refuse_removal_from_journal()")
        op.execute("CREATE SEQUENCE journal_id_seq OWNED BY journal.id")
        op.execute("SELECT setval('journal_id_seq', (SELECT coalesce(max(id), 0) + 1 FROM journal), false)")
        op.execute("ALTER TABLE journal ALTER COLUMN id SET DEFAULT nextval('journal_id_seq')")
    _refuse("journal", "UPDATE")
    _refuse("journal", "DELETE")


# --- entries of earlier versions -----------------------------------------------------------------------------


def _chain_entries() -> None:
    """Each linked to the one before it, in the order of their ids, which have no gaps from now on. Pre-images go under
    the keys of persons."""
    bind = op.get_bind()
    ids = list(bind.scalars(sa.select(_journal.c.id).order_by(_journal.c.id)))
    if not ids:
        return
    keys: Keyring | None = context.config.attributes.get("keys")
    if keys is None:
        raise ITMustAct(
            "the journal's entries are to be linked, and the key file is not given",
            system="database",
            remedy="Run `rdv-gateway db upgrade`.",
        )
    heads: dict[int, Head] = {}
    for number, former in enumerate(ids, start=1):
        (row,) = bind.execute(sa.select(_journal).where(_journal.c.id == former)).mappings()
        sealed = _moved_content(bind, keys, row["agent_id"], former, number)
        chain = chain_of(row["agent_id"])
        head = heads.get(chain, NOTHING)
        links = {
            "id": number,
            "chain": chain,
            "sequence": head.sequence + 1,
            "previous": head.digest,
            "content_digest": "" if sealed is None else content_digest(keys.chain_key, sealed),
        }
        digest = entry_digest(keys.chain_key, {**row, **links})
        bind.execute(sa.update(_journal).where(_journal.c.id == former).values(**links, digest=digest))
        if sealed is not None:
            bind.execute(sa.insert(_content), {"journal_id": number, "before": sealed})
        heads[chain] = Head(head.sequence + 1, digest)


def _moved_content(bind: sa.Connection, keys: Keyring, agent_id: int | None, former: int, number: int) -> bytes | None:
    of_entry = _content.c.journal_id == former
    sealed = bind.scalar(sa.select(_content.c.before).where(of_entry))
    if sealed is None:
        return None
    bind.execute(sa.delete(_content).where(of_entry))
    content = keys.decrypt(sealed, f"journal_content/before/{former}")
    place = f"journal_content/before/{number}"
    return keys.encrypt(content, place) if agent_id is None else keys.encrypt_for(agent_id, content, place)


# --- triggers ------------------------------------------------------------------------------------------------


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _drop_triggers(*names: str) -> None:
    for name in names:
        op.execute(f"DROP TRIGGER {name}" + (" ON journal" if _is_postgresql() else ""))


def _refuse(table: str, action: str) -> None:
    what = (
        "FOR EACH ROW EXECUTE FUNCTION refuse_change_of_journal()"
        if _is_postgresql()
        else f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
    )
    op.execute(f"CREATE TRIGGER {table}_refuses_{action.lower()} BEFORE {action} ON {table} {what}")


def _refuse_uncovered_removals() -> None:
    """Only what a signed anchor stands for may be removed."""
    if not _is_postgresql():
        op.execute(
            f"CREATE TRIGGER journal_refuses_delete BEFORE DELETE ON journal WHEN {_UNCOVERED} "
            f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        )
        return
    op.execute(
        "CREATE FUNCTION refuse_removal_from_journal() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF {_UNCOVERED} THEN "
        f"RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'integrity_constraint_violation'; "
        "END IF; RETURN OLD; END $$"
    )
    op.execute(
        "CREATE TRIGGER journal_refuses_delete BEFORE DELETE ON journal "
        "FOR EACH ROW EXECUTE FUNCTION refuse_removal_from_journal()"
    )
