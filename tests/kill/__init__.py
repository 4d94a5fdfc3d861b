"""The real program killed at each of its boundaries, and with its database or its clock in trouble: on a real calendar
server, the double of RDV-Solidarités and each kind of database. `make kill` takes every boundary, `make test` some."""
