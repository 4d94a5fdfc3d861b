"""Lays the subscriptions in RDV-Solidarités, one or two per organisation, and sees that they stand.

Every creation and every change of a subscription makes RDV-Solidarités send "created" for each record of what is
subscribed, tens of thousands of them, unless "absence" is among it: then nothing is sent again. So absences are always
subscribed together with RDVs, a subscription that is right is never touched, and plages d'ouverture, which no list of
the API gives, have one of their own, where being sent all of them is what is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.errors import AnswerLost, ConnectorError
from connectors.ports import Clock, RdvSolidaritesAccount
from connectors.records import Organisation, WebhookEndpoint
from gateway.store.store import Store
from gateway.store.webhooks import MAIN, PLAGES, EndpointRow
from gateway.webhooks.routes import path_of
from gateway.webhooks.secrets import EndpointSecrets, Place, load_secrets, save_secrets

SUBSCRIPTIONS: Mapping[str, frozenset[str]] = {
    MAIN: frozenset({"absence", "rdv", "agent", "agent_role"}),
    PLAGES: frozenset({"plage_ouverture", "lieu"}),
}


@dataclass(frozen=True, slots=True)
class Laid:
    """What became of one subscription. `did`: laid, changed, kept, failed."""

    organisation: Organisation
    channel: str
    did: str
    reason: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one subscription stands. `there`: None when the account may not see it. `as_wanted`: it sends what is needed
    and nothing else. `row`: what was received; None: this gateway never laid it."""

    organisation: Organisation
    channel: str
    there: bool | None
    as_wanted: bool
    row: EndpointRow | None
    reason: str = ""

    @property
    def is_good(self) -> bool:
        return self.there is not False and self.as_wanted and self.row is not None


@dataclass(frozen=True, slots=True)
class Subscriber:
    """`base_url`: how RDV-Solidarités reaches the public listener. `new_secret`: random text."""

    client: RdvSolidaritesAccount
    store: Store
    clock: Clock
    base_url: str
    channels: Sequence[str]
    new_secret: Callable[[], str]

    def install(self, *, rotate: bool = False) -> tuple[Laid, ...]:
        """Lay what is missing in every visible organisation; with `rotate`, give each a new secret. An organisation
        that fails stops no other. Raises what listing organisations raises."""
        return tuple(
            self._install_one(organisation, channel, rotate=rotate)
            for organisation in self.client.organisations()
            for channel in self.channels
        )

    def standings(self) -> tuple[Standing, ...]:
        """How each stands, here and there. Raises what listing organisations raises."""
        with self.store.webhooks() as tables:
            rows = {(each.organisation_id, each.channel): each for each in tables.endpoints()}
        found = []
        for organisation in self.client.organisations():
            try:
                endpoints: tuple[WebhookEndpoint, ...] | None = self.client.webhook_endpoints(organisation.id)
                reason = ""
            except ConnectorError as error:
                endpoints, reason = None, str(error)
            for channel in self.channels:
                row = rows.get((organisation.id, channel))
                found.append(self._standing(organisation, channel, endpoints, row, reason))
        return tuple(found)

    def url(self, organisation_id: int, channel: str) -> str:
        """Where an organisation's webhooks are sent to."""
        return self.base_url + path_of(organisation_id, channel)

    def _standing(
        self,
        organisation: Organisation,
        channel: str,
        endpoints: Sequence[WebhookEndpoint] | None,
        row: EndpointRow | None,
        reason: str,
    ) -> Standing:
        if endpoints is None:
            return Standing(organisation, channel, None, as_wanted=True, row=row, reason=reason)
        endpoint = self._endpoint(endpoints, organisation.id, channel)
        as_wanted = endpoint is not None and endpoint.subscriptions in (frozenset(), SUBSCRIPTIONS[channel])
        return Standing(organisation, channel, endpoint is not None, as_wanted, row)

    def _endpoint(
        self, endpoints: Sequence[WebhookEndpoint], organisation_id: int, channel: str
    ) -> WebhookEndpoint | None:
        url = self.url(organisation_id, channel)
        return next((each for each in endpoints if each.target_url == url), None)

    # --- one subscription ------------------------------------------------------------------------------------

    def _install_one(self, organisation: Organisation, channel: str, *, rotate: bool) -> Laid:
        place = (organisation.id, channel)
        before = load_secrets(self.store).get(place)
        try:
            endpoint = self._endpoint(self.client.webhook_endpoints(organisation.id), *place)
            right = endpoint is not None and endpoint.subscriptions in (frozenset(), SUBSCRIPTIONS[channel])
            if right and before is not None and not rotate:
                self._keep(place, before)
                return Laid(organisation, channel, "kept")
            secrets = self._prepared(place, before, rotate=rotate)
            return self._lay(organisation, channel, endpoint, before, secrets)
        except ConnectorError as error:
            return Laid(organisation, channel, "failed", str(error), error.remedy)

    def _prepared(self, place: Place, before: EndpointSecrets | None, *, rotate: bool) -> EndpointSecrets:
        """Accepted before anything is signed with it, whatever becomes of the request."""
        if before is not None and not rotate:
            secrets = before
        elif before is not None:
            secrets = before.replaced(self.new_secret(), self.clock.now())
        else:
            secrets = EndpointSecrets(self.new_secret())
        self._keep(place, secrets)
        return secrets

    def _lay(
        self,
        organisation: Organisation,
        channel: str,
        endpoint: WebhookEndpoint | None,
        before: EndpointSecrets | None,
        secrets: EndpointSecrets,
    ) -> Laid:
        wanted = SUBSCRIPTIONS[channel]
        try:
            if endpoint is None:
                self.client.create_webhook_endpoint(
                    organisation.id, self.url(organisation.id, channel), secrets.current, wanted
                )
                return Laid(organisation, channel, "laid")
            self.client.update_webhook_endpoint(endpoint, secret=secrets.current, subscriptions=wanted)
            return Laid(organisation, channel, "changed")
        except AnswerLost as error:
            # Both secrets stay accepted for some days: whichever counts there, nothing is refused meanwhile.
            remedy = "Run `rdv-gateway webhooks install --rotate` for certainty."
            return Laid(organisation, channel, "failed", str(error), remedy)
        except ConnectorError:
            self._put_back((organisation.id, channel), before)
            raise

    def _put_back(self, place: Place, before: EndpointSecrets | None) -> None:
        with self.store.transaction() as tx:
            secrets = load_secrets(self.store)
            if before is None:
                secrets.pop(place, None)
            else:
                secrets[place] = before
            save_secrets(tx, secrets)

    def _keep(self, place: Place, secrets: EndpointSecrets) -> None:
        with self.store.transaction() as tx:
            save_secrets(tx, load_secrets(self.store) | {place: secrets})
            tx.webhooks.put_endpoint(*place, installed_at=self.clock.now())


def may_rest(rows: Sequence[EndpointRow], organisation_ids: frozenset[int], now: datetime, quiet: float) -> bool:
    """Whether readings may be rare: every organisation has its subscription, and something came within `quiet`
    seconds."""
    main = [row for row in rows if row.channel == MAIN]
    if not main or organisation_ids - {row.organisation_id for row in main}:
        return False
    last = max((row.last_received_at for row in main if row.last_received_at is not None), default=None)
    return last is not None and (now - last).total_seconds() < quiet
