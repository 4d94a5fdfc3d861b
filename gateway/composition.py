"""Puts the application together from its configuration: the only module that knows the concrete connectors.

`opened_store` is for what needs no remote system; `opened` adds the two sides and the engine. Both close all that
they opened, in reverse order.
"""

from __future__ import annotations

import resource
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
from sqlalchemy.engine import URL, make_url

from connectors.allowed_hosts import refusal
from connectors.caldav import PROFILES, CalDavAccount, CalDavSettings, Servers
from connectors.errors import ConnectorError
from connectors.http import http_client
from connectors.ics import IcsAccount, IcsSettings
from connectors.network import ClientCertificate, Network, Proxy
from connectors.ports import CalendarAccount, Clock, RdvSolidarites, RdvSolidaritesAccount, TellsTime
from connectors.rdv_solidarites import (
    Authentication,
    AuthorizationCode,
    ConsentRequest,
    DeviseTokens,
    MemoryTokenStore,
    OAuthBearer,
    RdvSolidaritesClient,
    TokenStore,
    WebhookReader,
    answers,
    ask_consent,
    code_in,
)
from connectors.records import Agent, RdvSelection
from gateway.agents.accounts import (
    AccountBook,
    Aliases,
    Credential,
    filled,
    published_link,
    read_credentials,
    read_links,
)
from gateway.audit.auditor import Auditor
from gateway.clock import SystemClock
from gateway.consent import StoredToken
from gateway.keys import Keyring, load_keys
from gateway.remembered import RememberedFeed, RememberedPassword, RememberedServers
from gateway.run_counter import FileRunCounter
from gateway.settings import AccountSection, OAuthSection, RdvSolidaritesSection, Settings
from gateway.settings_network import ClientCertificateKeys
from gateway.settings_parts import SecretSource
from gateway.settings_problems import SettingsError, nearest
from gateway.store.database import open_database
from gateway.store.store import Store
from gateway.sync.ceiling import RDV_SOLIDARITES
from gateway.sync.engine import Engine, EngineSettings, plan_context
from gateway.sync.undo.undoing import Undoer
from gateway.watching.metrics import Metrics
from gateway.watching.slow import SlowSteps
from gateway.watching.watch import Watch
from gateway.webhooks.pinging import Pinger
from gateway.webhooks.service import WebhookService, open_webhooks

_TELLABLE = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Application:
    """Everything that a sync works with. `watch` is told of all that the engine does."""

    settings: Settings
    store: Store
    rdv_solidarites: RdvSolidarites
    accounts: AccountBook
    engine: Engine
    clock: Clock
    keys: Keyring
    watch: Watch


@dataclass(frozen=True, slots=True)
class ConsentAttempt:
    """One attempt to get an agent's consent to our access."""

    settings: Settings
    section: OAuthSection
    request: ConsentRequest
    clock: Clock

    @property
    def url(self) -> str:
        """For the agent's browser."""
        return self.request.url

    def is_answered_by(self, address: str) -> bool:
        """Whether a browser came to `address` from this attempt, consent or refusal."""
        return answers(address, self.request)

    def redeem(self, answer: str) -> tuple[Agent | None, str]:
        """Who consented (None: the instance does not tell), and the text of the token, to be kept (`StoredToken`).

        `answer`: the address that the browser ended on, or the code. Raises `ITMustAct`, `RetryLater`.
        """
        tokens = MemoryTokenStore()
        authentication = AuthorizationCode(
            self.section.client_id,
            self.section.client_secret.read().get_secret_value(),
            code=code_in(answer, self.request),
            verifier=self.request.verifier,
            redirect_uri=self.request.redirect_uri,
            store=tokens,
            clock=self.clock,
        )
        with closing(_client(self.settings, authentication, self.clock)) as client:
            agent = client.me()
        return agent, tokens.load() or ""


def ask_for_consent(settings: Settings, section: OAuthSection, clock: Clock) -> ConsentAttempt:
    """A new attempt; nothing is sent yet."""
    request = ask_consent(
        settings.rdv_solidarites.url,
        client_id=section.client_id,
        redirect_uri=section.redirect_uri,
        random=secrets.token_bytes,
    )
    return ConsentAttempt(settings, section, request, clock)


def stored_token(settings: Settings, store: Store, clock: Clock) -> StoredToken:
    """Where the token is kept. The key file is what every process of a deployment can read: it is the lock."""
    return StoredToken(store, clock, settings.gateway.keys)


def database_url(settings: Settings) -> URL:
    """The database as SQLAlchemy names it. Raises `SettingsError` when its password is missing."""
    return url_of(settings.gateway.database, settings.gateway.database_password)


def url_of(place: Path | str, password: SecretSource | None) -> URL:
    """A SQLite file's URL, or a server's with its password; it shows none when printed with `repr`."""
    if isinstance(place, Path):
        return URL.create("sqlite", database=str(place))
    url = make_url(place)
    return url if password is None else url.set(password=password.read().get_secret_value())


@contextmanager
def opened_store(settings: Settings) -> Iterator[Store]:
    """The database alone. Raises what `load_keys` and `open_database` raise."""
    keys = load_keys(settings.gateway.keys)
    with ExitStack() as stack:
        yield _store(settings, keys, stack)


@contextmanager
def opened(settings: Settings, *, clock: Clock | None = None) -> Iterator[Application]:
    """Everything. Nothing remote is reached yet. Raises `SettingsError` when a secret is missing."""
    clock = clock or SystemClock()
    keys = load_keys(settings.gateway.keys)
    with ExitStack() as stack:
        store = _store(settings, keys, stack)
        rdv_solidarites = rdv_solidarites_client(settings, store, clock)
        stack.callback(rdv_solidarites.close)
        accounts = account_book(settings, shared_by_accounts(clock, store, keys))
        stack.callback(accounts.close)
        watch = Watch(Metrics(section.name for section in settings.accounts), SlowSteps(store, clock.now))
        stack.callback(watch.close)
        engine = Engine(
            store=store,
            rdv_solidarites=rdv_solidarites,
            accounts=accounts,
            keys=keys,
            settings=engine_settings(settings),
            clock=clock,
            new_id=lambda: uuid4().hex,
            counter=FileRunCounter.beside(settings.gateway.keys),
            watcher=watch,
        )
        yield Application(settings, store, rdv_solidarites, accounts, engine, clock, keys, watch)


def auditor(application: Application) -> Auditor:
    """Compares both sides with the database; it writes to neither."""
    return Auditor(
        store=application.store,
        rdv_solidarites=application.rdv_solidarites,
        accounts=application.accounts,
        keys=application.keys,
        settings=engine_settings(application.settings),
        clock=application.clock,
    )


def rdv_solidarites_client(
    settings: Settings, store: Store | None, clock: Clock, *, selection: RdvSelection | None = None
) -> RdvSolidaritesAccount:
    """The client of the configured instance. Its token is kept in `store`, or, with None, by this process only.

    `selection`: what of usagers passes its door; None: what the configured rules show.
    """
    section = settings.rdv_solidarites
    tokens: TokenStore = MemoryTokenStore() if store is None else stored_token(settings, store, clock)
    authentication: Authentication
    if section.oauth is not None:
        client_secret = section.oauth.client_secret.read().get_secret_value()
        source = section.oauth.refresh_token
        refresh_token = source.read().get_secret_value() if source else ""
        authentication = OAuthBearer(section.oauth.client_id, client_secret, refresh_token, tokens, clock)
    else:
        password = section.password.read().get_secret_value()
        authentication = DeviseTokens(section.login or "", password, tokens, clock)
    return _client(settings, authentication, clock, selection)


def _client(
    settings: Settings, authentication: Authentication, clock: Clock, selection: RdvSelection | None = None
) -> RdvSolidaritesAccount:
    section = settings.rdv_solidarites
    return RdvSolidaritesClient(
        section.url,
        authentication,
        clock=clock,
        selection=settings.rules.to_book().selection if selection is None else selection,
        network=network_of(settings, section),
        requests_per_second=section.requests_per_second,
    )


@dataclass(frozen=True, slots=True)
class SharedByAccounts:
    """What all calendar accounts of one process have in common. Without a store, nothing outlives the process.

    `retry`: passwords that were refused are tried once more.
    """

    clock: Clock
    servers: Servers
    store: Store | None = None
    keys: Keyring | None = None
    retry: bool = False

    def passwords(self, credential: Credential) -> RememberedPassword | None:
        """What is remembered of this password."""
        if self.store is None or self.keys is None:
            return None
        return RememberedPassword(
            self.store,
            self.keys,
            url=credential.url,
            username=credential.username,
            password=credential.password,
            retry=self.retry,
        )

    def feed(self, url: str) -> RememberedFeed | None:
        """What is remembered of the subscription under this link."""
        return None if self.store is None or self.keys is None else RememberedFeed(self.store, self.keys, url=url)


def shared_by_accounts(
    clock: Clock, store: Store | None = None, keys: Keyring | None = None, *, retry: bool = False
) -> SharedByAccounts:
    """One for all accounts of a process: those on one server wait for each other there."""
    memory = None if store is None else RememberedServers(store)
    return SharedByAccounts(clock, Servers(memory, now=clock.now), store, keys, retry)


def account_book(settings: Settings, shared: SharedByAccounts) -> AccountBook:
    """Every account of the configuration, and the parts of those that serve many agents. Reaches nothing.

    Raises `SettingsError` when a secret is missing or a credentials file cannot be used.
    """
    whole: dict[str, CalendarAccount] = {}
    makers: dict[str, Callable[[str], CalendarAccount]] = {}
    aliases = Aliases.of(settings)
    for section in settings.accounts:
        if section.read_only:
            subscribed = _subscriptions(settings, section, shared, aliases)
            if isinstance(subscribed, IcsAccount):
                whole[section.name] = subscribed
            else:
                makers[section.name] = subscribed
        elif section.credentials_file is not None:
            credentials = read_credentials(section.credentials_file, section.name)
            _only_allowed_hosts(settings, section, [own.url for own in credentials.values() if own.url])
            _make_room_for_sockets(len(credentials))
            makers[section.name] = partial(_own_account, settings, section, shared, aliases, credentials)
        else:
            base = _service_account(settings, section, shared)
            whole[section.name] = base
            makers[section.name] = partial(_at_home, section, aliases, base)
    return AccountBook(whole, makers, sharing=whole)


def _service_account(settings: Settings, section: AccountSection, shared: SharedByAccounts) -> CalDavAccount:
    password = section.password.read().get_secret_value()
    url, home = section.url, section.home
    if section.is_template:
        url, home = str(httpx2.URL(section.url).join("/")), None
    return _caldav_account(settings, section, shared, Credential(section.username, password, url), home)


def _at_home(section: AccountSection, aliases: Aliases, base: CalDavAccount, part: str) -> CalendarAccount:
    """An agent's part of a service account. Raises `LookupError`."""
    if part.startswith("/"):
        return base.at_home(part)
    if not section.is_template:
        raise LookupError(part)
    login = aliases.logins.get(part, part.partition("@")[0])
    return base.at_home(filled(section.home or urlsplit(section.url).path, part, login))


def _own_account(  # noqa: PLR0917 - all but the last are bound where the book is made
    settings: Settings,
    section: AccountSection,
    shared: SharedByAccounts,
    aliases: Aliases,
    credentials: Mapping[str, Credential],
    part: str,
) -> CalendarAccount:
    """An agent's own account. Raises `LookupError`."""
    own = credentials[part]
    login = aliases.logins.get(part, own.username)
    home = filled(section.home, part, login) if section.home else None
    url = filled(own.url or section.url, part, login)
    return _caldav_account(settings, section, shared, Credential(own.username, own.password, url), home)


def _subscriptions(
    settings: Settings, section: AccountSection, shared: SharedByAccounts, aliases: Aliases
) -> IcsAccount | Callable[[str], CalendarAccount]:
    """The section's one subscription, or what makes an agent's; that raises `LookupError`."""
    make = partial(_subscription, settings, section, shared)
    if not section.serves_many:
        link = published_link(section.link.read().get_secret_value())
        _only_allowed_hosts(settings, section, [link], key="link")
        return make(link)
    links: Mapping[str, str] | None = None
    if section.credentials_file is not None:
        links = read_links(section.credentials_file, section.name)
        _only_allowed_hosts(settings, section, links.values())
        _make_room_for_sockets(len(links))

    def of_agent(part: str) -> CalendarAccount:
        if links is not None:
            return make(links[part], part)
        login = aliases.logins.get(part, part.partition("@")[0])
        return make(filled(section.url, part, login), part)

    return of_agent


def _subscription(
    settings: Settings, section: AccountSection, shared: SharedByAccounts, link: str, owner: str = ""
) -> IcsAccount:
    addresses = {address for known in section.owner_addresses.values() for address in known} | ({owner} - {""})
    made = IcsSettings(
        name=section.name,
        url=link,
        allowed_hosts=settings.allowed_hosts,
        digest_key=shared.keys.digest_key if shared.keys is not None else secrets.token_bytes(32),
        owned_by_it=section.belongs_to == "it",
        owner_addresses=frozenset(address.lower() for address in addresses),
        network=network_of(settings, section),
        answer_limit=section.answer_limit,
    )
    return IcsAccount(made, now=shared.clock.now, memory=shared.feed(link))


def _only_allowed_hosts(
    settings: Settings, section: AccountSection, urls: Iterable[str], *, key: str = "credentials_file"
) -> None:
    allowed = settings.allowed_hosts
    reasons = Counter(refusal(url, allowed) for url in urls)
    problems = [
        f"accounts[{section.name}].{key}: {count} of its addresses cannot be used: {reason}; "
        "correct them, or list their hosts in [network] allowed_hosts"
        for reason, count in reasons.items()
        if reason is not None
    ]
    if problems:
        raise SettingsError(problems)


def _make_room_for_sockets(accounts: int) -> None:
    """Each account keeps connections of its own, and many systems let a process have no more than 1,024 files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 256 + 4 * accounts
    most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    if soft != resource.RLIM_INFINITY and most > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _caldav_account(
    settings: Settings, section: AccountSection, shared: SharedByAccounts, credential: Credential, home: str | None
) -> CalDavAccount:
    profile = PROFILES.get(section.profile)
    if profile is None:
        known = ", ".join(PROFILES)
        hint = nearest(section.profile, PROFILES)
        raise SettingsError((f"accounts[{section.name}].profile: expected one of {known}{hint}",))
    return CalDavAccount(
        CalDavSettings(
            name=section.name,
            url=credential.url,
            username=credential.username,
            password=credential.password,
            home=home,
            profile=profile,
            owned_by_it=section.belongs_to == "it",
            owner_addresses=section.owner_addresses,
            network=network_of(settings, section),
            allowed_hosts=settings.network.allowed_hosts,
            answer_limit=section.answer_limit,
            max_connections=section.connections,
        ),
        now=shared.clock.now,
        servers=shared.servers,
        passwords=shared.passwords(credential),
    )


def network_of(settings: Settings, section: RdvSolidaritesSection | AccountSection) -> Network:
    """The way to the server of that section. Raises `SettingsError` when a secret is missing."""
    common = settings.network
    proxy = None
    if common.proxy is not None:
        password = common.proxy_password.read().get_secret_value() if common.proxy_username else ""
        proxy = Proxy(common.proxy, common.proxy_username or "", password, common.no_proxy)
    return Network(
        proxy=proxy,
        ca_file=common.ca_file,
        client_certificate=_client_certificate(settings, section),
        connect_timeout=common.connect_timeout,
        read_timeout=section.read_timeout or common.read_timeout,
    )


def _client_certificate(
    settings: Settings, section: RdvSolidaritesSection | AccountSection
) -> ClientCertificate | None:
    keys: ClientCertificateKeys = settings.network
    place = "network"
    if isinstance(section, AccountSection) and section.client_certificate_file is not None:
        keys, place = section, f"accounts.{section.name}"
    if keys.client_certificate_file is None:
        return None
    source = keys.client_key_password(place)
    password = source.read().get_secret_value() if source else ""
    return ClientCertificate(keys.client_certificate_file, keys.client_key_file, password)


def engine_settings(settings: Settings) -> EngineSettings:
    """What the engine needs to know of the configuration."""
    return EngineSettings(
        rulebook=settings.rules.to_book(),
        default_zone=settings.rdv_solidarites.time_zone,
        organisation_zones=settings.rdv_solidarites.organisation_zones,
        backfill_from=settings.rules.backfill_from,
        far_interval=settings.far_interval,
        threads_per_host=settings.gateway.threads_per_host,
        ceiling=settings.limits.to_ceiling(),
        instance_host=urlsplit(settings.rdv_solidarites.url).hostname or "",
        guard=settings.limits.to_guard(),
    )


def known_profiles() -> frozenset[str]:
    """Kinds of calendar servers that a configuration may name."""
    return frozenset(PROFILES)


def clock_offsets(settings: Settings, clock: Clock) -> dict[str, float | None]:
    """By account name, and for RDV-Solidarités: by how many seconds the server's clock is ahead of this machine's, as
    its Date header tells (RFC 9110 section 6.6.1: whole seconds); None when it does not answer or does not tell. One
    request each, without credentials."""
    offsets = {RDV_SOLIDARITES: _clock_offset(settings, settings.rdv_solidarites, clock)}
    asked = [section for section in settings.accounts if not section.read_only]
    return offsets | {section.name: _clock_offset(settings, section, clock) for section in asked}


def _clock_offset(settings: Settings, section: RdvSolidaritesSection | AccountSection, clock: Clock) -> float | None:
    parts = urlsplit(section.url)
    try:
        with http_client(network_of(settings, section), system=RDV_SOLIDARITES) as client:
            asked = clock.now()
            answer = client.head(f"{parts.scheme}://{parts.netloc}/")
            middle = asked + (clock.now() - asked) / 2
        return round((parsedate_to_datetime(answer.headers["Date"]) - middle).total_seconds(), 1)
    except (httpx2.HTTPError, ConnectorError, KeyError, ValueError, TypeError):
        return None


def webhook_service(application: Application, *, on_kept: Callable[[], None]) -> WebhookService:
    """What takes webhooks in and applies them. `on_kept`: called when there is something to apply. To be closed."""
    settings = application.settings
    book = settings.rules.to_book()
    return open_webhooks(
        application.store,
        application.keys,
        application.clock,
        WebhookReader(settings.rdv_solidarites.url, book.selection),
        book.selection,
        body_limit=settings.web.body_limit,
        clock_offset=partial(_certain_offset, application.rdv_solidarites),
        on_kept=on_kept,
    )


def _certain_offset(client: object) -> timedelta | None:
    """How far RDV-Solidarités' clock is ahead; None for less than its Date header, in whole seconds, can tell."""
    offset = client.clock_offset if isinstance(client, TellsTime) else None
    return offset if offset is not None and abs(offset) >= _TELLABLE else None


@contextmanager
def webhook_pinger(settings: Settings, clock: Clock) -> Iterator[Pinger]:
    """What posts pings, the way that RDV-Solidarités is reached."""
    door = WebhookReader(settings.rdv_solidarites.url, RdvSelection())
    with http_client(network_of(settings, settings.rdv_solidarites), system=RDV_SOLIDARITES) as client:
        yield Pinger(client, door, clock, lambda: secrets.randbelow(2**53))


def undoer(application: Application, run_id: str, *, by: str) -> Undoer:
    """What undoes for that person, under this run's id."""
    settings = engine_settings(application.settings)
    return Undoer(
        store=application.store,
        rdv_solidarites=application.rdv_solidarites,
        accounts=application.accounts,
        observer=application.engine.calendars,
        context=plan_context(settings, application.keys, application.clock.now()),
        clock=application.clock,
        ceiling=settings.ceiling,
        run_id=run_id,
        by=by,
    )


def _store(settings: Settings, keys: Keyring, stack: ExitStack) -> Store:
    database = open_database(database_url(settings), keys)
    stack.callback(database.close)
    return Store(database)
