"""A published calendar (an iCalendar file behind a link that is its only secret) as an account that is only read."""

from connectors.ics.account import CALENDAR, IcsAccount
from connectors.ics.memory import FeedMemory
from connectors.ics.settings import IcsSettings

__all__ = ["CALENDAR", "FeedMemory", "IcsAccount", "IcsSettings"]
