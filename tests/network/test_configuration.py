"""From `[network]` to what clients are made of, and what `check` says of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.allowed_hosts import refusal
from connectors.hosts import proxy_exception
from connectors.network import ClientCertificate, Network, Proxy
from gateway.cli.check_network import Fact, network_facts
from gateway.clock import SystemClock
from gateway.composition import account_book, network_of, shared_by_accounts
from gateway.settings import Settings, load
from gateway.settings_problems import SettingsError
from tests.servers.authority import Authority

NOW = datetime.now(UTC)
TEXT = """
[network]
{network}
[rdv_solidarites]
url = "https://www.rdv-solidarites.fr"
login = "technique@example.fr"
password_file = "secret"
read_timeout = 45
[[accounts]]
name = "zimbra"
url = "https://agenda.example.fr:8443/dav/"
username = "gateway"
password_file = "secret"
{account}
[[accounts]]
name = "local"
url = "http://127.0.0.1:5232/"
username = "gateway"
password_file = "secret"
"""


def configured(directory: Path, network: str = "", account: str = "") -> Settings:
    path = directory / "rdv-gateway.toml"
    path.write_text(TEXT.format(network=network, account=account), encoding="utf-8")
    for name in ("proxy", "key"):
        (directory / name).write_text(f"{name}-password\n")
    return load(path)


def networks(settings: Settings) -> tuple[Network, Network]:
    """Of RDV-Solidarités, and of the account zimbra."""
    return network_of(settings, settings.rdv_solidarites), network_of(settings, settings.account("zimbra"))


def test_without_a_network_section_nothing_is_in_between(tmp_path: Path) -> None:
    assert networks(configured(tmp_path)) == (Network(read_timeout=45), Network())


def test_every_key_reaches_both_sides_and_an_account_may_have_its_own_certificate(tmp_path: Path) -> None:
    common = """
proxy = "http://proxy.example.fr:3128/"
proxy_username = "gateway"
proxy_password_file = "proxy"
no_proxy = [".intra.example.fr", "10.0.0.0/8"]
ca_file = "ca.pem"
client_certificate_file = "client.pem"
connect_timeout = 3
read_timeout = 20
"""
    own = 'client_certificate_file = "own.pem"\nclient_key_file = "own.key"\nclient_key_password_file = "key"'
    exceptions = (proxy_exception(".intra.example.fr"), proxy_exception("10.0.0.0/8"))
    proxy = Proxy("http://proxy.example.fr:3128", "gateway", "proxy-password", exceptions)
    one, other = networks(configured(tmp_path, common, own))
    shared: dict[str, Any] = {"proxy": proxy, "ca_file": tmp_path / "ca.pem", "connect_timeout": 3.0}
    assert one == Network(**shared, client_certificate=ClientCertificate(tmp_path / "client.pem"), read_timeout=45.0)
    certificate = ClientCertificate(tmp_path / "own.pem", tmp_path / "own.key", "key-password")
    assert other == Network(**shared, client_certificate=certificate, read_timeout=20.0)


def test_a_missing_password_of_the_proxy_names_its_source(tmp_path: Path) -> None:
    settings = configured(
        tmp_path, 'proxy = "http://proxy:3128"\nproxy_username = "u"\nproxy_password_env = "NO_SUCH_VARIABLE"'
    )
    with pytest.raises(SettingsError, match=r"network\.proxy_password: .*NO_SUCH_VARIABLE is not set"):
        networks(settings)


def test_hosts_that_the_configuration_names_are_allowed_and_those_that_are_listed(tmp_path: Path) -> None:
    settings = configured(tmp_path, 'allowed_hosts = ["*.partner.example.fr"]')
    for url in ("https://www.rdv-solidarites.fr/x", "https://agenda.example.fr:8443/y", "http://127.0.0.1:5232/"):
        assert refusal(url, settings.allowed_hosts) is None
    assert refusal("https://a.partner.example.fr/", settings.allowed_hosts) is None
    for url in ("https://agenda.example.fr/", "http://127.0.0.1:5233/", "https://rdv-solidarites.fr/"):
        assert refusal(url, settings.allowed_hosts) is not None


@pytest.mark.parametrize(("listed", "url"), [(True, "https://dav.partner.example.fr/"), (False, "https://10.0.0.1/")])
def test_addresses_in_a_file_of_credentials_are_held_to_the_list(tmp_path: Path, listed: bool, url: str) -> None:
    """Agents type them, or somebody does for them."""
    own = """
[[accounts]]
name = "own"
url = "https://agenda.example.fr:8443/"
credentials_file = "own.csv"
"""
    settings = configured(tmp_path, 'allowed_hosts = ["*.partner.example.fr"]', own)
    path = tmp_path / "own.csv"
    path.write_text(f"email,username,password,url\nmartine@example.fr,martine,secret,{url}\n")
    path.chmod(0o600)
    (tmp_path / "secret").write_text("password")
    shared = shared_by_accounts(SystemClock())
    if listed:
        account_book(settings, shared).close()
        return
    with pytest.raises(
        SettingsError, match="1 of its addresses cannot be used: it is an address of a private"
    ) as raised:
        account_book(settings, shared)
    assert "10.0.0.1" not in str(raised.value)


def facts(settings: Settings, environment: dict[str, str] | None = None) -> dict[str, Fact]:
    return {fact.what: fact for fact in network_facts(settings, NOW, environment or {})}


class TestCheck:
    def test_shows_the_way_to_each_host_without_credentials(self, tmp_path: Path) -> None:
        network = """
proxy = "http://proxy.example.fr:3128"
proxy_username = "gateway-login"
proxy_password_file = "proxy"
no_proxy = ["agenda.example.fr"]
"""
        found = facts(configured(tmp_path, network))
        assert {what: fact.detail for what, fact in found.items()} == {
            "network: www.rdv-solidarites.fr:443": "through the proxy proxy.example.fr:3128",
            "network: agenda.example.fr:8443": "directly: listed in no_proxy",
            "network: 127.0.0.1:5232": "directly: this machine",
        }
        assert {fact.remedy for fact in found.values()} == {""}

    def test_says_which_variables_are_not_used(self, tmp_path: Path) -> None:
        """Their values may hold a password."""
        environment = {"https_proxy": "http://u:hunter2@proxy:1", "SSL_CERT_FILE": "/x", "NO_PROXY": "", "PATH": "/"}
        fact = facts(configured(tmp_path), environment)["network: environment"]
        assert "https_proxy, SSL_CERT_FILE;" in fact.detail
        assert "hunter2" not in fact.detail
        assert "network: environment" not in facts(configured(tmp_path), {"PATH": "/"})

    @pytest.mark.parametrize(("days", "said"), [(31, ""), (29, " expires on "), (-1, " expired on ")])
    def test_warns_of_certificates_thirty_days_ahead(self, tmp_path: Path, days: int, said: str) -> None:
        """The account's own certificate as well as the common one."""
        Authority(tmp_path).client("client", days=days)
        line = 'client_certificate_file = "client.pem"\nclient_key_file = "client.key"'
        for section, what in (("network", "network"), ("account", "account zimbra")):
            fact = facts(configured(tmp_path, **{section: line}))[f"{what}: client certificate"]
            last_day = f"{NOW + timedelta(days=days):%Y-%m-%d}"
            assert "CN=client" in fact.detail
            assert f", until {last_day}" in fact.detail
            assert said in fact.detail
            assert bool(fact.remedy) is bool(said)

    def test_shows_the_authorities_with_their_last_day(self, tmp_path: Path) -> None:
        Authority(tmp_path, "Département")
        fact = facts(configured(tmp_path, 'ca_file = "authority.pem"'))["network: authorities"]
        assert "O=Département" in fact.detail
        assert ", until " in fact.detail
        assert not fact.remedy

    @pytest.mark.parametrize(
        ("text", "said"), [(None, "No such file"), ("no certificate", "it holds no PEM certificate")]
    )
    def test_says_which_file_cannot_be_used(self, tmp_path: Path, text: str | None, said: str) -> None:
        if text is not None:
            (tmp_path / "ca.pem").write_text(text)
        fact = facts(configured(tmp_path, 'ca_file = "ca.pem"'))["network: authorities"]
        assert f"{tmp_path / 'ca.pem'} cannot be used ({said}" in fact.detail
        assert fact.remedy
