"""The incident bundle: what a maintainer needs, chosen field by field. Never a dump with things taken out."""
