"""The configuration as a maintainer may see it: numbers, switches and choices by name; of texts only whether and how
many; persons, hosts and accounts under other names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from gateway.settings import AccountSection, Settings
from gateway.settings_rules import BlocksSection, CopiesSection, ForSection, RulesSection
from gateway.support.pseudonyms import Pseudonyms

_AGENT_CHOICES = (
    "horizon_days",
    "merge_blocks",
    "put_backs_per_day",
    "many_count",
    "many_share",
    "near_twin_minutes",
    "copy_rdvs",
    "block_time",
    "mirror_absences",
    "tell_conflicts",
)
_BLOCK_CHOICES = (
    "blocks",
    "tentative",
    "elsewhere",
    "all_day",
    "all_day_categories",
    "always_categories",
    "always_titles",
    "never_categories",
    "never_titles",
    "hours",
    "minimum_minutes",
    "labels",
)
_COPY_CHOICES = (
    "label",
    "motifs",
    "neutral_title",
    "show_place",
    "show_phone",
    "show_context",
    "show_link",
    "usager_fields",
    "classification",
    "category",
    "color",
    "reminder_minutes",
    "cancelled",
)


def configuration_facts(settings: Settings, names: Pseudonyms, profiles: Collection[str]) -> dict[str, object]:
    """`profiles`: those that the program knows; any other word is a text of the département."""
    network, rdvs = settings.network, settings.rdv_solidarites
    return {
        "gateway": {
            "database": "sqlite" if isinstance(settings.gateway.database, Path) else "postgresql",
            "database_password": settings.gateway.database_password is not None,
            "threads_per_host": settings.gateway.threads_per_host,
        },
        "network": {
            "proxy": network.proxy is not None,
            "proxy_username": network.proxy_username is not None,
            "no_proxy": len(network.no_proxy),
            "ca_file": network.ca_file is not None,
            "client_certificate": network.client_certificate_file is not None,
            "connect_timeout": network.connect_timeout,
            "read_timeout": network.read_timeout,
            "allowed_hosts": len(network.allowed_hosts),
        },
        "rdv_solidarites": {
            "host": host_name(rdvs.url, names),
            "sign_in": "login" if rdvs.oauth is None else "oauth",
            "requests_per_second": rdvs.requests_per_second,
            "read_timeout": rdvs.read_timeout,
            "time_zone": rdvs.time_zone.key,
            "organisation_zones": _zones(rdvs.organisation_zones, names),
            "far_reading_hours": rdvs.far_reading_hours,
        },
        "accounts": [_account(section, names, profiles) for section in settings.accounts],
        "rules": _rules(settings.rules, names),
        "limits": {
            "writes_per_hour": settings.limits.writes_per_hour,
            "writes_per_day": settings.limits.writes_per_day,
        },
        "aliases": len(settings.aliases),
        "mail": {"host": settings.mail.host is not None, "security": settings.mail.security},
        "alerts": {
            "it": len(settings.alerts.it),
            "referentes": len(settings.alerts.referentes),
            "agents": settings.alerts.agents,
            "off": sorted(settings.alerts.off),
            "stale_minutes": settings.alerts.stale_minutes,
            "messages_per_hour": settings.alerts.messages_per_hour,
            "webhooks": len(settings.alerts.webhooks),
        },
        "outliers": {
            "deviations": settings.outliers.deviations,
            "smallest_group": settings.outliers.smallest_group,
            "hours_per_week": settings.outliers.hours_per_week,
            "writes": settings.outliers.writes,
            "near_twins": settings.outliers.near_twins,
        },
    }


def host_name(url: str, names: Pseudonyms) -> str:
    """The host of an address under another name."""
    return names.of("host", urlsplit(url).hostname or "")


def system_name(system: str, names: Pseudonyms) -> str:
    """A system as errors name it: the gateway's own parts as they are, accounts (and their parts) under other names."""
    if system in ("rdv_solidarites", "database", "gateway", "configuration", "keys", "network"):
        return system
    return names.of("account", system.partition("/")[0])


def _zones(zones: Mapping[int, ZoneInfo], names: Pseudonyms) -> dict[str, str]:
    return {names.of("organisation", number): zone.key for number, zone in zones.items()}


def _account(section: AccountSection, names: Pseudonyms, profiles: Collection[str]) -> dict[str, object]:
    return {
        "account": names.of("account", section.name),
        "kind": section.kind,
        "host": host_name(section.url, names),
        "belongs_to": section.belongs_to,
        "profile": section.profile if section.profile in profiles else "unknown",
        "serves_many": section.serves_many,
        "read_only": section.read_only,
        "credentials_file": section.credentials_file is not None,
        "principal_search": section.principal_search,
        "client_certificate": section.client_certificate_file is not None,
        "owner_addresses": len(section.owner_addresses),
        "connections": section.connections,
        "read_timeout": section.read_timeout,
        "answer_limit": section.answer_limit,
    }


def _rules(rules: RulesSection, names: Pseudonyms) -> dict[str, object]:
    return {
        "everybody": _choices(rules, names=_AGENT_CHOICES) | _parts(rules.blocks, rules.copies),
        "backfill_from": None if rules.backfill_from is None else rules.backfill_from.isoformat(),
        "for": [_for(section, names) for section in rules.differing],
    }


def _for(section: ForSection, names: Pseudonyms) -> dict[str, object]:
    selectors = {"organisation": section.organisation, "service": section.service, "motif": section.motif}
    selectors |= {"agent": section.agent}
    who = {kind: names.of(kind, number) for kind, number in selectors.items() if number is not None}
    if section.calendar is not None:
        who["calendar"] = names.of("calendar", section.calendar)
    return {"who": who, **_choices(section, names=_AGENT_CHOICES), **_parts(section.blocks, section.copies)}


def _parts(blocks: BlocksSection, copies: CopiesSection) -> dict[str, object]:
    return {"blocks": _choices(blocks, names=_BLOCK_CHOICES), "copies": _choices(copies, names=_COPY_CHOICES)}


def _choices(
    section: RulesSection | ForSection | BlocksSection | CopiesSection, names: Iterable[str]
) -> dict[str, object]:
    """Only what the file sets: numbers, switches, choices of a list; of texts and lists how many."""
    return {name: _plain(getattr(section, name)) for name in names if name in section.model_fields_set}


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return {"set": bool(value)}
    return {"count": len(value)} if isinstance(value, Collection) else {"set": True}
