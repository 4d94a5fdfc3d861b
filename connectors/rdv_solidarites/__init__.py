"""RDV-Solidarités (RDV Service Public) through its API v1."""

from connectors.rdv_solidarites.authentication import (
    Authentication,
    AuthorizationCode,
    DeviseTokens,
    MemoryTokenStore,
    OAuthBearer,
    TokenStore,
)
from connectors.rdv_solidarites.client import RdvSolidaritesClient
from connectors.rdv_solidarites.consent import ConsentRequest, answers, ask_consent, code_in
from connectors.rdv_solidarites.webhooks import WebhookReader

__all__ = [
    "Authentication",
    "AuthorizationCode",
    "ConsentRequest",
    "DeviseTokens",
    "MemoryTokenStore",
    "OAuthBearer",
    "RdvSolidaritesClient",
    "TokenStore",
    "WebhookReader",
    "answers",
    "ask_consent",
    "code_in",
]
