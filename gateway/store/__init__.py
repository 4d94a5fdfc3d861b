"""What the gateway remembers: both observed states, the agreed one, and work in progress.

`database` opens and migrates, `store.Store` reads, `transaction.Transaction` writes; `values` holds what only the
store speaks of. Everything personal is encrypted under the instance's keys before it reaches the database.
"""
