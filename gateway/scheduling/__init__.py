"""Decides when what is read and written, and keeps doing so: `rdv-gateway serve`."""
