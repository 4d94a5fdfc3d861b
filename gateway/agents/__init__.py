"""The life of agents beside their syncs: matching, enrolling in waves, notices, leaving."""
