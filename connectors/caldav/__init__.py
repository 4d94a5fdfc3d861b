"""CalDAV (RFC 4791) as a calendar account: Radicale and Xandikos so far."""

from connectors.caldav.account import CalDavAccount
from connectors.caldav.settings import CalDavSettings, ServerProfile

__all__ = ["CalDavAccount", "CalDavSettings", "ServerProfile"]
