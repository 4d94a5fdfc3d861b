"""Measured campaigns: a whole département in memory, the real engine between, and figures for people."""
