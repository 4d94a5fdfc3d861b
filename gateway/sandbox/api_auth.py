"""Opening and ending sessions: `/api/v1/auth/*` (devise_token_auth) and `/oauth/*` (Doorkeeper)."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway.sandbox import serializers
from gateway.sandbox.accounts import CLIENT_ID, CLIENT_SECRET, OAuthTokens
from gateway.sandbox.errors import Refused
from gateway.sandbox.http import caller_of, parameters, reply
from gateway.sandbox.state import State

_REFUSED = {"success": False, "errors": ["Identifiants de connexion invalides. Veuillez réessayer."]}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def routes(state: State) -> list[Route]:
    """The routes that need no session."""
    sessions = _Sessions(state)
    return [
        Route("/api/v1/auth/sign_in", sessions.sign_in, methods=["POST"]),
        Route("/api/v1/auth/validate_token", sessions.validate_token, methods=["GET"]),
        Route("/api/v1/auth/sign_out", sessions.sign_out, methods=["DELETE"]),
        Route("/oauth/authorize", sessions.authorize, methods=["GET"]),
        Route("/oauth/token", sessions.token, methods=["POST"]),
    ]


class _Sessions:
    def __init__(self, state: State) -> None:
        self._state = state

    async def sign_in(self, request: Request) -> Response:
        try:
            given = parameters(request, await request.body())
        except Refused as refused:
            return reply(refused.body, refused.status)
        opened = self._state.accounts.sign_in(str(given.get("email", "")), str(given.get("password", "")))
        if opened is None:
            return reply(_REFUSED, 401)
        agent_id, token = opened
        request.scope["sandbox.agent"] = agent_id
        answer = reply({"data": self._person(agent_id)})
        answer.headers.update(
            {
                "access-token": token.access_token,
                "token-type": "Bearer",
                "client": token.client,
                "expiry": str(token.expiry),
                "uid": token.uid,
            }
        )
        return answer

    async def validate_token(self, request: Request) -> Response:
        try:
            agent_id = caller_of(self._state, request.headers)
        except Refused:
            return reply(_REFUSED, 401)
        request.scope["sandbox.agent"] = agent_id
        return reply({"success": True, "data": self._person(agent_id)})

    async def sign_out(self, request: Request) -> Response:
        try:
            agent_id = caller_of(self._state, request.headers)
        except Refused:
            return reply({"success": False, "errors": ["Utilisateur non trouvé ou non connecté."]}, 404)
        request.scope["sandbox.agent"] = agent_id
        self._state.accounts.sign_out(agent_id)
        return reply({"success": True})

    async def authorize(self, request: Request) -> Response:
        """Consents by itself, as the agent named by `login_hint` (an e-mail): the double has no log-in page."""
        given = request.query_params
        redirect_uri = given.get("redirect_uri", "")
        if given.get("client_id") != CLIENT_ID or not _may_redirect_to(redirect_uri):
            return reply({"error": "invalid_request"}, 400)
        if given.get("response_type") != "code":
            return RedirectResponse(_with_query(redirect_uri, {"error": "unsupported_response_type"}), 302)
        echoed = {"state": given["state"]} if "state" in given else {}
        if given.get("code_challenge") and given.get("code_challenge_method") != "S256":
            return RedirectResponse(_with_query(redirect_uri, {"error": "invalid_request", **echoed}), 302)
        try:
            agent_id = self._state.agent_id(given.get("login_hint", ""))
        except LookupError:
            agent_id = None
        if agent_id is None or self._state.accounts.consents_refused:
            return RedirectResponse(_with_query(redirect_uri, {"error": "access_denied", **echoed}), 302)
        code = self._state.accounts.code_for(agent_id, redirect_uri, given.get("code_challenge", ""))
        return RedirectResponse(_with_query(redirect_uri, {"code": code, **echoed}), 302)

    async def token(self, request: Request) -> Response:
        try:
            given = parameters(request, await request.body())
        except Refused as refused:
            return reply(refused.body, refused.status)
        if _client(request, given) != (CLIENT_ID, CLIENT_SECRET):
            return reply({"error": "invalid_client"}, 401)
        match given.get("grant_type"):
            case "refresh_token":
                tokens = self._state.accounts.renew(str(given.get("refresh_token", "")))
            case "authorization_code":
                tokens = self._state.accounts.redeem(
                    *(str(given.get(name, "")) for name in ("code", "redirect_uri", "code_verifier"))
                )
            case _:
                return reply({"error": "unsupported_grant_type"}, 400)
        if tokens is None:
            return reply({"error": "invalid_grant"}, 400)
        request.scope["sandbox.agent"] = tokens.agent_id
        return reply(self._token_body(tokens))

    def _token_body(self, tokens: OAuthTokens) -> dict[str, object]:
        return {
            "access_token": tokens.access_token,
            "token_type": "Bearer",
            "expires_in": tokens.expires_in,
            "refresh_token": tokens.refresh_token,
            "scope": "write",
            "created_at": int(self._state.storage.clock().timestamp()),
        }

    def _person(self, agent_id: int) -> dict[str, Any]:
        agent = serializers.agents(self._state.storage, [agent_id])[0]
        return {
            "id": agent_id,
            "email": agent["email"],
            "provider": "email",
            "uid": agent["email"],
            "first_name": agent["first_name"],
            "last_name": agent["last_name"],
            "allow_password_change": False,
        }


def _client(request: Request, given: dict[str, Any]) -> tuple[str, str]:
    """Client id and secret, from HTTP Basic or from the body."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return name, secret
    return str(given.get("client_id", "")), str(given.get("client_secret", ""))


def _may_redirect_to(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def _with_query(address: str, added: dict[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(added)}"
