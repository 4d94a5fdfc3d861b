"""Simulated histories with faults and crashes: models of both sides, the real store and the real engine between.

`python -m tests.simulation --seeds 2000` runs a campaign; `history.play` plays one seed.
"""
