"""What the gateway itself costs, measured against the same SQL without it."""
