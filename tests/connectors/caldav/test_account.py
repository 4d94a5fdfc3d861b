"""Addresses, credentials, discovery, counting and discretion of an account."""

from __future__ import annotations

import ipaddress
import logging
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from connectors.errors import (
    AgentMustAct,
    BadItem,
    ConnectorError,
    ITMustAct,
    RetryLater,
)
from connectors.network import Network
from connectors.records import EventDraft
from tests.connectors.caldav.answers import (
    given,
    multistatus,
)
from tests.connectors.caldav.bench import CalDavBench
from tests.contract.calendar_contract import draft
from tests.servers.counting_proxy import CountingProxy, Instead, Reply
from tests.servers.radicale import RadicaleServer


@pytest.fixture
def bench(radicale: RadicaleServer) -> Iterator[CalDavBench]:
    with CalDavBench(radicale) as bench:
        yield bench


# --- credentials and discovery --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "alice/"])
def test_the_home_is_found_from_the_server_and_from_the_principal(bench: CalDavBench, path: str) -> None:
    account = bench.other_account(home=None, url=f"{bench.proxy.url}{path}")
    assert bench.calendar in {info.calendar for info in account.discover()}
    assert account.requests == len(bench.proxy.seen)
    before = account.requests
    account.look()
    assert account.requests - before == 1, "the home is looked for once"


def test_credentials_are_sent_at_once(bench: CalDavBench) -> None:
    """Some servers show an anonymous visitor an account without calendars and never ask."""
    account = bench.other_account(home=None)
    account.discover()
    account.create(bench.calendar, draft())
    assert all("authorization" in seen.headers for seen in bench.proxy.seen)


@pytest.mark.parametrize("first", ["discover", "create", "look"])
def test_a_password_refused_by_either_library_stops_both(bench: CalDavBench, first: str) -> None:
    wrong = bench.other_account(password="not-the-password", home=None)
    asks = {
        "discover": wrong.discover,
        "create": lambda: wrong.create(bench.calendar, draft()),
        "look": wrong.look,
        "changes": lambda: wrong.changes(bench.calendar, None, {}),
    }
    for name in (first, *asks):
        with pytest.raises(AgentMustAct):
            asks[name]()
    assert len(bench.proxy.seen) == 1


def test_many_threads_try_a_wrong_password_once(bench: CalDavBench) -> None:
    wrong = bench.other_account(password="not-the-password", owned_by_it=True)
    errors: list[type[BaseException]] = []

    def look() -> None:
        try:
            wrong.look()
        except ConnectorError as error:
            errors.append(type(error))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [ITMustAct] * 8
    assert len(bench.proxy.seen) == 1


def test_calendars_on_another_server_do_not_get_the_password(bench: CalDavBench) -> None:
    elsewhere = "https://elsewhere.example.org/alice/"
    home = f"<C:calendar-home-set><href>{elsewhere}</href></C:calendar-home-set>"
    answer = given("/alice/", home)
    bench.proxy.when("PROPFIND", Instead(multistatus(answer)), matches=lambda seen: b"calendar-home-set" in seen.body)
    with pytest.raises(ITMustAct, match="another server"):
        bench.other_account(home=None).discover()


@pytest.mark.parametrize(
    "page", [Reply(200, (("Content-Type", "text/html"),), b"<html>Login</html>"), Reply(404), Reply(302)]
)
def test_an_address_that_leads_elsewhere_concerns_it(bench: CalDavBench, page: Reply) -> None:
    bench.proxy.when("PROPFIND", Instead(page), times=None)
    with pytest.raises(ITMustAct):
        bench.other_account(home=None).discover()
    with pytest.raises(ITMustAct):
        bench.account.look()


@pytest.mark.parametrize(
    "url",
    [
        "http://cal.example.org/",
        "ftp://cal.example.org/",
        "cal.example.org",
        "",
        "https://alice:secret@cal.example.org/",
    ],
)
def test_an_address_that_must_not_carry_a_password_is_refused_before_anything_is_sent(
    bench: CalDavBench, url: str
) -> None:
    with pytest.raises(ITMustAct) as raised:
        bench.other_account(url=url)
    assert "secret" not in str(raised.value)
    assert bench.other_account(url="http://cal.example.org/", allow_plain_http=True).host == "cal.example.org:80"


def test_every_request_is_counted(bench: CalDavBench) -> None:
    item = bench.account.create(bench.calendar, draft())
    bench.account.changes(bench.calendar, None, {})
    bench.account.delete(bench.calendar, item)
    assert bench.account.requests == len(bench.proxy.seen) > 4


def test_nothing_personal_is_logged_at_any_level(bench: CalDavBench, caplog: pytest.LogCaptureFixture) -> None:
    """Not by us, and not by the libraries, also when a server repeats what it was sent."""
    secret = EventDraft(
        "rdvgw-1", "m", datetime(2026, 6, 1, 7, tzinfo=UTC), datetime(2026, 6, 1, 8, tzinfo=UTC), "Dentiste"
    )
    with caplog.at_level(logging.DEBUG):
        item = bench.account.create(bench.calendar, secret)
        bench.account.changes(bench.calendar, None, {})
        echo = Reply(400, (("Content-Type", "text/html"),), b"<html>Dentiste<br>")
        bench.proxy.when("PUT", Instead(echo))
        with pytest.raises(BadItem):
            bench.account.update(bench.calendar, item, secret, notes=True)
    assert "Dentiste" not in caplog.text
    assert bench.password not in caplog.text


@pytest.mark.parametrize(("status", "error"), [(503, RetryLater), (500, RetryLater), (403, ITMustAct)])
def test_a_discovery_that_fails_says_whom_it_concerns(
    bench: CalDavBench, status: int, error: type[ConnectorError]
) -> None:
    bench.proxy.when("PROPFIND", Instead(Reply(status)), times=None)
    with pytest.raises(error) as raised:
        bench.other_account(home=None).discover()
    assert type(raised.value) is error


def test_the_packages_own_debugging_cannot_be_turned_on() -> None:
    """By environment variables it logs bodies, and writes them to files together with the password."""
    asked = (
        "import logging, connectors.caldav, caldav.lib.error as error;"
        "print(logging.getLogger('caldav').getEffectiveLevel(), error.debug_dump_communication)"
    )
    environment = {**os.environ, "PYTHON_CALDAV_DEBUGMODE": "DEBUG", "PYTHON_CALDAV_COMMDUMP": "1"}
    answer = subprocess.run([sys.executable, "-c", asked], env=environment, capture_output=True, check=True, text=True)
    assert answer.stdout.split() == [str(logging.WARNING), "False"]


def test_connections_are_kept_between_writes(bench: CalDavBench) -> None:
    for number in range(5):
        bench.account.create(bench.calendar, draft(f"rdvgw-{number}"))
    assert bench.proxy.connections <= 2, "one for reading, one for writing"


# --- encryption ----------------------------------------------------------------------------------------------


@pytest.fixture
def encrypted(radicale: RadicaleServer, tmp_path: Path) -> Iterator[tuple[CountingProxy, Path]]:
    """The server behind TLS with a certificate of its own making, and that certificate."""
    certificate = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with CountingProxy(radicale.url, tls=context) as proxy:
        yield proxy, certificate


def self_signed(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(certificate.public_bytes(Encoding.PEM) + secret)
    return path


def test_a_certificate_that_nobody_vouches_for_concerns_it_in_both_libraries(
    bench: CalDavBench, encrypted: tuple[CountingProxy, Path]
) -> None:
    account = bench.other_account(url=encrypted[0].url)
    undiscovered = bench.other_account(url=encrypted[0].url, home=None)
    for ask in (account.look, lambda: account.create(bench.calendar, draft()), undiscovered.discover):
        with pytest.raises(ITMustAct, match="certificate") as raised:
            ask()
        assert "authority" in str(raised.value.remedy)
    assert encrypted[0].seen == ()


def test_an_authority_of_ones_own_is_trusted_by_both_libraries(
    bench: CalDavBench, encrypted: tuple[CountingProxy, Path]
) -> None:
    """Départements have private authorities: reading must not work where writing does not."""
    account = bench.other_account(url=encrypted[0].url, home=None, network=Network(ca_file=encrypted[1]))
    assert bench.calendar in {info.calendar for info in account.discover()}
    assert account.create(bench.calendar, draft()).version
