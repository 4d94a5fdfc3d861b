"""The ways in: password tokens (historic instance) and OAuth 2 (newer instances), which begins with a consent. All
raise `ITMustAct` when only a person can give access back, and never try refused credentials twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

from connectors.errors import ConnectorError, ITMustAct
from connectors.ports import Clock
from connectors.rdv_solidarites.answers import Answer, answer_of
from connectors.rdv_solidarites.faults import SYSTEM, Call, failure, not_the_api
from connectors.rdv_solidarites.tokens import MemoryTokenStore, SharedToken, Token, TokenEndpoint, TokenStore

__all__ = ["Authentication", "AuthorizationCode", "DeviseTokens", "MemoryTokenStore", "OAuthBearer", "TokenStore"]

_SIGN_IN = "/api/v1/auth/sign_in"
_REFRESH = "/oauth/token"


class Authentication(Protocol):
    """What the client asks for before each request, and once after a 401. Thread-safe."""

    def token(self, endpoint: TokenEndpoint) -> Token:
        """The token to send. Raises `RetryLater`, `ITMustAct`."""

    def renewed(self, refused: Token, endpoint: TokenEndpoint) -> Token:
        """Another one, since `refused` got a 401. Raises `RetryLater`, `ITMustAct`."""


class DeviseTokens:
    """E-mail and password against a token in three headers (devise_token_auth), valid until its `expiry` header.

    A password that was refused once is not tried again by this object: account lock-outs count attempts.
    """

    def __init__(self, email: str, password: str, store: TokenStore, clock: Clock) -> None:
        self._email = email
        self._password = password
        self._clock = clock
        self._refused = False
        self._shared = SharedToken(f"devise {email}", self._sign_in, store, clock)

    def token(self, endpoint: TokenEndpoint) -> Token:
        return self._shared.current(endpoint)

    def renewed(self, refused: Token, endpoint: TokenEndpoint) -> Token:
        return self._shared.renewed(refused, endpoint)

    def _sign_in(self, endpoint: TokenEndpoint, _known: Token | None) -> Token:
        if self._refused:
            raise self._password_refused()
        response = endpoint.post(_SIGN_IN, json={"email": self._email, "password": self._password})
        answer = answer_of(response, now=self._clock.now())
        # Only the API's own 401 is a verdict on the password; a proxy's is not.
        if answer.status == 401 and answer.document is not None:
            self._refused = True
            raise self._password_refused()
        if not answer.succeeded or answer.document is None:
            raise _no_token(answer, f"POST {_SIGN_IN}")
        headers = {name: response.headers.get(name, "") for name in ("access-token", "client", "uid")}
        if not all(headers.values()):
            raise ITMustAct(
                f"POST {_SIGN_IN}: signed in, but the answer carries no token.",
                system=SYSTEM,
                remedy="See that no proxy strips the headers access-token, client and uid; newer instances want OAuth.",
            )
        return Token(headers=headers, expires_at=_unix_seconds(response.headers.get("expiry")))

    def _password_refused(self) -> ITMustAct:
        return ITMustAct(
            "RDV-Solidarités refuses the service account's e-mail or password.",
            system=SYSTEM,
            remedy="Correct them and start again: they are not tried twice. An account that signs in through "
            "ProConnect only has no password: give it one, or use OAuth.",
        )


class OAuthBearer:
    """OAuth 2 bearer token (Doorkeeper), renewed with a refresh token (RFC 6749 section 6).

    `refresh_token` is the one that a consent elsewhere gave, or "": then that of the consent that `AuthorizationCode`
    left in `store`. Later ones live in `store`. Another `refresh_token` (a new consent) makes what is stored void.
    """

    def __init__(self, client_id: str, client_secret: str, refresh_token: str, store: TokenStore, clock: Clock) -> None:
        self._client_id = client_id
        self._client_secret = client_secret
        self._first_refresh_token = refresh_token
        self._clock = clock
        self._refused: set[str] = set()
        self._shared = SharedToken(_oauth_account(client_id, refresh_token), self._refresh, store, clock)

    def token(self, endpoint: TokenEndpoint) -> Token:
        return self._shared.current(endpoint)

    def renewed(self, refused: Token, endpoint: TokenEndpoint) -> Token:
        return self._shared.renewed(refused, endpoint)

    def _refresh(self, endpoint: TokenEndpoint, known: Token | None) -> Token:
        refresh_token = (known.refresh_token if known else "") or self._first_refresh_token
        if not refresh_token:
            raise consent_missing()
        if refresh_token in self._refused:
            raise self._consent_needed()
        response = endpoint.post(
            _REFRESH,
            form={
                "grant_type": "refresh_token",
                "refresh_token": refresh_token,
                "client_id": self._client_id,
                "client_secret": self._client_secret,
            },
        )
        now = self._clock.now()
        answer = answer_of(response, now=now)
        if answer.status in (400, 401) and answer.document is not None:
            self._refused.add(refresh_token)
            raise self._consent_needed()
        return _bearer(answer, now, refresh_token)

    def _consent_needed(self) -> ITMustAct:
        return ITMustAct(
            "RDV-Solidarités refuses to renew the access that was consented to.",
            system=SYSTEM,
            remedy="Consent again with the service account: run `rdv-gateway rdvs login`; and check the application's "
            "id and secret.",
        )


class AuthorizationCode:
    """The first token of a consent, for its code (RFC 6749 section 4.1.3). `OAuthBearer` with the same `store` and
    without a refresh token goes on from there. `verifier`: of `consent.ConsentRequest`."""

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        *,
        code: str,
        verifier: str,
        redirect_uri: str,
        store: TokenStore,
        clock: Clock,
    ) -> None:
        self._form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
            "client_id": client_id,
            "client_secret": client_secret,
        }
        self._clock = clock
        self._shared = SharedToken(_oauth_account(client_id, ""), self._redeem, store, clock)
        self._token: Token | None = None

    def token(self, endpoint: TokenEndpoint) -> Token:
        self._token = self._token or self._shared.begun(endpoint)
        return self._token

    def renewed(self, refused: Token, endpoint: TokenEndpoint) -> Token:  # noqa: ARG002 - the port's
        """A code is good once: there is no other token."""
        return refused

    def _redeem(self, endpoint: TokenEndpoint, _known: Token | None) -> Token:
        response = endpoint.post(_REFRESH, form=self._form)
        now = self._clock.now()
        answer = answer_of(response, now=now)
        if answer.status in (400, 401) and answer.document is not None:
            raise _code_refused(answer.document.get("error"))
        token = _bearer(answer, now, "")
        if not token.refresh_token:
            raise ITMustAct(
                "RDV-Solidarités gives this application no refresh token: access would end in two hours.",
                system=SYSTEM,
                remedy="Ask the RDV Service Public team to enable refresh tokens for the application.",
            )
        return token


def _oauth_account(client_id: str, refresh_token: str) -> str:
    return f"oauth {client_id} {refresh_token}"


def _bearer(answer: Answer, now: datetime, refresh_token: str) -> Token:
    """The token in an answer of the token endpoint; `refresh_token`: kept where the server gives no new one."""
    access_token = answer.document.get("access_token") if answer.document else None
    if not answer.succeeded or answer.document is None or not isinstance(access_token, str):
        raise _no_token(answer, f"POST {_REFRESH}")
    rotated = answer.document.get("refresh_token")
    return Token(
        headers={"Authorization": f"Bearer {access_token}"},
        expires_at=_after(now, answer.document.get("expires_in")),
        refresh_token=rotated if isinstance(rotated, str) and rotated else refresh_token,
    )


def _code_refused(error: object) -> ITMustAct:
    if error == "invalid_client":
        return ITMustAct(
            "RDV-Solidarités refuses the application's id or secret.",
            system=SYSTEM,
            remedy="Check client_id and the client secret against what the RDV Service Public team gave.",
        )
    return ITMustAct(
        "RDV-Solidarités refuses the code of this consent.",
        system=SYSTEM,
        remedy="A code is good once and for ten minutes: run `rdv-gateway rdvs login` again. If that fails too, "
        "compare redirect_uri with the one that is registered.",
    )


def consent_missing() -> ITMustAct:
    """Nobody consented yet, or the consent was forgotten."""
    return ITMustAct(
        "Nobody has consented yet to this access to RDV-Solidarités.",
        system=SYSTEM,
        remedy="Consent with the service account: run `rdv-gateway rdvs login`.",
    )


def _no_token(answer: Answer, what: str) -> ConnectorError:
    if answer.succeeded:
        return not_the_api(answer, Call.TOKEN, what)
    if answer.status in (400, 401):
        return ITMustAct(
            f"{what}: {answer.status} with a body that is not the API's.",
            system=SYSTEM,
            remedy="Something in front of the server (a proxy, a firewall) wants its own credentials.",
        )
    return failure(answer, Call.TOKEN, what)


def _unix_seconds(text: str | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(text or ""), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _after(now: datetime, seconds: object) -> datetime | None:
    try:
        return now + timedelta(seconds=float(str(seconds)))
    except (ValueError, OverflowError):
        return None
