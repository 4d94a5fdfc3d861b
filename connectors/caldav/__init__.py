"""CalDAV (RFC 4791) as a calendar account, on servers of any kind: `connectors.caldav.profiles` says which."""

from connectors.caldav.account import CalDavAccount
from connectors.caldav.memory import PasswordMemory, ServerMemory
from connectors.caldav.profiles import PROFILES, ServerProfile
from connectors.caldav.servers import Servers
from connectors.caldav.settings import CalDavSettings

__all__ = [
    "PROFILES",
    "CalDavAccount",
    "CalDavSettings",
    "PasswordMemory",
    "ServerMemory",
    "ServerProfile",
    "Servers",
]
