"""A person's consent to an OAuth application: authorization code with PKCE (RFC 6749 section 4.1, RFC 7636).

The person opens an address in any browser, signs in to RDV-Solidarités there and consents; the browser is then led
to the redirect URI with a code. Only the program that made the address can use the code: it alone knows the verifier.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

from connectors.errors import ITMustAct
from connectors.rdv_solidarites.faults import SYSTEM

SCOPE = "write"
"""The only scope that the server knows."""

_AUTHORIZE = "/oauth/authorize"
_CODE = re.compile(r"[A-Za-z0-9._~+/=-]{8,512}")
_SECRET_OCTETS = 32  # RFC 7636 section 4.1 wants 43 characters at least: what 32 octets give


@dataclass(frozen=True, slots=True)
class ConsentRequest:
    """One attempt. `url`: for the person's browser. `state` comes back with the answer; `verifier` never leaves us but
    with the code."""

    url: str
    redirect_uri: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)


def ask_consent(base_url: str, *, client_id: str, redirect_uri: str, random: Callable[[int], bytes]) -> ConsentRequest:
    """A new attempt at the instance `base_url`. `random`: that many unpredictable octets."""
    state, verifier = (_text(random(_SECRET_OCTETS)) for _ in range(2))
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": SCOPE,
        "state": state,
        "code_challenge": _text(hashlib.sha256(verifier.encode("ascii")).digest()),
        "code_challenge_method": "S256",
    }
    return ConsentRequest(f"{base_url.rstrip('/')}{_AUTHORIZE}?{urlencode(query)}", redirect_uri, state, verifier)


def answers(address: str, request: ConsentRequest) -> bool:
    """Whether a browser came to `address` (or its path and query) from this attempt, consent or refusal."""
    given = parse_qs(urlsplit(address).query).get("state", [""])[0]
    return hmac.compare_digest(given.encode(), request.state.encode())


def code_in(answer: str, request: ConsentRequest) -> str:
    """The code in what came back: the address that the browser ended on, or the code by itself.

    Raises `ITMustAct` for a refusal, for the answer to another attempt, and for what is no answer.
    """
    answer = answer.strip()
    if "?" not in answer and "://" not in answer:
        return _checked(answer)  # PKCE ties it to this attempt, as the state does for an address
    given = {name: values[0] for name, values in parse_qs(urlsplit(answer).query).items()}
    if not answers(answer, request):
        raise ITMustAct(
            "This is not the answer to the address that was just given.",
            system=SYSTEM,
            remedy="Run `rdv-gateway rdvs login` again, open the new address and paste what that one leads to.",
        )
    if "error" in given:
        raise _refused(given["error"])
    return _checked(given.get("code", ""))


def _refused(error: str) -> ITMustAct:
    if error == "access_denied":
        return ITMustAct(
            "The consent was refused in the browser.",
            system=SYSTEM,
            remedy="Run `rdv-gateway rdvs login` again, sign in as the technical account and consent.",
        )
    shown = error if re.fullmatch(r"[a-z_]{1,40}", error) else "an unknown error"
    return ITMustAct(
        f"RDV-Solidarités did not ask for consent: {shown}.",
        system=SYSTEM,
        remedy="Check client_id, redirect_uri and the scope against what the RDV Service Public team registered.",
    )


def _checked(code: str) -> str:
    if not _CODE.fullmatch(code):
        raise ITMustAct(
            "There is no authorization code in what was given.",
            system=SYSTEM,
            remedy="Paste the whole address that the browser ended on, or the code that the page shows.",
        )
    return code


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
