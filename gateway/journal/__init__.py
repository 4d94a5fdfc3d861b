"""The append-only account of every remote write and observed change (`log`)."""
