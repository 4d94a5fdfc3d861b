"""Deciding when: the pure parts, and the conductor with a clock of its own."""
