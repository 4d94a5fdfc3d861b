"""RDV-Solidarités (RDV Service Public) through its API v1."""

from connectors.rdv_solidarites.authentication import (
    Authentication,
    DeviseTokens,
    MemoryTokenStore,
    OAuthBearer,
    TokenStore,
)
from connectors.rdv_solidarites.client import RdvSolidaritesClient

__all__ = [
    "Authentication",
    "DeviseTokens",
    "MemoryTokenStore",
    "OAuthBearer",
    "RdvSolidaritesClient",
    "TokenStore",
]
