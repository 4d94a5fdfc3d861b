"""Webhooks of RDV-Solidarités: received, kept, applied to what is observed; subscriptions laid and tried."""
