"""`rdv-gateway serve` as a process of its own, with a real Radicale and the double of RDV-Solidarités."""
