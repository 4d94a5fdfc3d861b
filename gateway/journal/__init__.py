"""The append-only account of every remote write, observed change and decision.

`log` adds and reads entries, `chain` links them, `checkpoints` seals the chains with signed statements, `verify` finds
what does not fit, `retention` removes what was kept long enough and erases persons, `export` writes entries elsewhere.
"""
