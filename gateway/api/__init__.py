"""What business applications read and are told: a read API by tokens, and signed webhooks."""
