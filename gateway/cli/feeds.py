"""`feeds create|list|revoke|rotate`."""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import segno

from gateway.cli.exits import Exit, UserError
from gateway.cli.output import messages, moment, print_json, results, table
from gateway.cli.session import local
from gateway.clock import SystemClock
from gateway.feeds.links import LinkRefused, Links, NewLink, Wish
from gateway.feeds.messages import Addresses, addresses, letter, sms
from gateway.feeds.values import FeedLink, FeedUse, Language, LinkState
from gateway.settings import Settings
from gateway.store.store import Store
from mappings.feed_levels import DEFAULT_LEVELS, Level, Purpose

_COLUMNS = ("Link", "For", "Level", "Language", "Made", "Valid until", "State", "Last read", "Readers")
_USE_SHOWN = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Choice:
    """What the options say of links to make."""

    purpose: Purpose
    level: Level | None
    language: Language
    organisation: int | None

    @classmethod
    def named(cls, purpose: str, level: str | None, language: str, organisation: int | None) -> Choice:
        """By the words of the command line."""
        return cls(Purpose(purpose), None if level is None else Level(level), Language(language), organisation)

    def wish(self, subject: int) -> Wish:
        """The link of one subject."""
        level = self.level or DEFAULT_LEVELS[self.purpose]
        return Wish(self.purpose, subject, level, self.language, self.organisation)


def purpose_of(name: str | None) -> Purpose | None:
    """By the word of the command line."""
    return None if name is None else Purpose(name)


def links_of(settings: Settings, store: Store) -> Links:
    """What makes and closes links, for whoever runs the command."""
    return Links(store, settings.feeds, SystemClock(), getpass.getuser())


def base_url(settings: Settings) -> str:
    """The public address that links begin with. Raises `UserError`."""
    if settings.web.base_url is None:
        raise UserError("Links need a public address.", remedy="Set web.base_url in the configuration.")
    return settings.web.base_url


def made_json(settings: Settings, made: NewLink) -> dict[str, object]:
    """A new link, with its addresses and texts."""
    link, own = made.link, addresses(base_url(settings), made.token)
    return {
        "link": link.id,
        "page": own.page,
        "feed": own.feed,
        "webcal": own.webcal,
        "valid_until": link.expires_at,
        "sms": sms(own.page, link.language),
        "letter": _letter(settings, link, own),
    }


def _letter(settings: Settings, link: FeedLink, own: Addresses) -> str:
    phone = settings.feeds.phone_of(link.organisation_id)
    until = link.expires_at.astimezone(settings.rdv_solidarites.time_zone).date()
    return letter(own.page, link.language, until=until, phone=phone)


def create(config: Path, choice: Choice, subject: int, qr: Path | None, *, as_json: bool) -> Exit:
    """Make one link and show it."""
    with local(config) as (settings, store):
        base_url(settings)
        _require_qr(qr)
        try:
            (made,) = links_of(settings, store).create([choice.wish(subject)])
        except LinkRefused as error:
            raise UserError(f"{error}.", remedy="Choose one of those levels.") from None
        _show_made(settings, made, qr, as_json=as_json)
        if choice.purpose is Purpose.USAGER and not settings.feeds.motifs:
            messages().print("feeds.motifs is empty: this feed holds no RDV until the motifs to show are listed there.")
    return Exit.FINE


def rotate(config: Path, link_id: int, qr: Path | None, *, as_json: bool) -> Exit:
    """Give a link a new token and show it."""
    with local(config) as (settings, store):
        base_url(settings)
        _require_qr(qr)
        try:
            made = links_of(settings, store).rotate(link_id)
        except LinkRefused as error:
            raise UserError(f"{error}.", remedy="See `rdv-gateway feeds list`.") from None
        _show_made(settings, made, qr, as_json=as_json)
    return Exit.FINE


def _require_qr(path: Path | None) -> None:
    if path is not None and path.suffix.lower() not in (".svg", ".png"):
        raise UserError(f"{path} is neither .svg nor .png.", remedy="Name the file so.")


def _show_made(settings: Settings, made: NewLink, qr: Path | None, *, as_json: bool) -> None:
    content = made_json(settings, made)
    if qr is not None:
        segno.make(str(content["page"]), error="m").save(str(qr), kind=qr.suffix[1:].lower(), scale=8)
    if as_json:
        print_json(content)
        return
    for name, value in content.items():
        results().print(f"{name}: {moment(made.link.expires_at) if name == 'valid_until' else value}", soft_wrap=True)
    messages().print("The address is shown this once: the database keeps nothing from which it could be told again.")


def list_(config: Path, purpose: Purpose | None, subject: int | None, *, as_json: bool) -> Exit:
    """Show links."""
    if subject is not None and purpose is None:
        raise UserError("--id needs --for.", remedy="Say whose id it is: --for usager.")
    now = SystemClock().now()
    with local(config) as (settings, store), store.feeds() as tables:
        if purpose is not None and subject is not None:
            found: Sequence[FeedLink] = tables.links_of(purpose, subject)
        else:
            found = tables.links(purpose)
        uses = tables.uses((now - _USE_SHOWN).date())
        states = {each.id: each.state(None, now, settings.feeds.grace) for each in found}
    shown = [(each, states[each.id], uses.get(each.id, FeedUse())) for each in found]
    if as_json:
        print_json({"links": [_json(*each) for each in shown]})
    else:
        results().print(table("Feeds", _COLUMNS, _rows(shown)))
    return Exit.FINE


def _about(link: FeedLink) -> str:
    return link.purpose.value if link.purpose is Purpose.USAGER else f"{link.purpose.value} {link.subject}"


def _rows(shown: Iterable[tuple[FeedLink, LinkState, FeedUse]]) -> Iterable[tuple[object, ...]]:
    for link, state, use in shown:
        times = (moment(link.created_at), moment(link.expires_at))
        names = (link.id, _about(link), link.level.value, link.language.value)
        yield (*names, *times, state.value, use.last_on or "-", use.readers or "-")


def _json(link: FeedLink, state: LinkState, use: FeedUse) -> dict[str, object]:
    return {
        "link": link.id,
        "for": link.purpose.value,
        "id": None if link.purpose is Purpose.USAGER else link.subject,
        "level": link.level.value,
        "language": link.language.value,
        "created_at": link.created_at,
        "valid_until": link.expires_at,
        "revoked_at": link.revoked_at,
        "state": state.value,
        "last_read_on": use.last_on,
        "readers": use.readers,
    }


def revoke(
    config: Path, link_ids: Sequence[int], purpose: Purpose | None, subject: int | None, *, as_json: bool
) -> Exit:
    """Close links. Exit code 1 when one of those named was not open."""
    if bool(link_ids) == (purpose is not None and subject is not None):
        raise UserError("Say which links to close.", remedy="Give their numbers, or --for and --id.")
    with local(config) as (settings, store):
        links = links_of(settings, store)
        asked = list(link_ids)
        if purpose is not None and subject is not None:
            asked = [each.id for each in links.of(purpose, subject)]
        closed = links.revoke(asked)
    if as_json:
        print_json({"revoked": closed, "not_open": sorted(set(asked) - set(closed))})
    else:
        messages().print(f"Closed: {', '.join(map(str, closed)) or 'none'}.")
    return Exit.FINE if set(asked) == set(closed) and closed else Exit.NEEDS_PERSON
