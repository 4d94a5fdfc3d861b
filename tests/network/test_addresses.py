"""Which addresses may be asked on somebody's word, and how names of hosts are read."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.allowed_hosts import host_and_port, refusal
from connectors.hosts import address_of, exact_pattern, host_name, is_loopback, proxy_exception
from connectors.network import Network, Proxy

ALLOWED = [
    exact_pattern(text)
    for text in (
        "agenda.example.fr",
        "*.partner.example.fr",
        "dav.example.fr:8443",
        "élu.example.fr",
        "strasse.example.fr",
        "10.1.2.3",
        "localhost:5232",
        "[fd00::5]:8443",
    )
]

MAY = [
    "https://agenda.example.fr/",
    "https://AGENDA.example.fr./dav/?a=b#c",
    "https://agenda.example.fr:443/x@y",
    "https://a.b.partner.example.fr/",
    "https://dav.example.fr:8443/",
    "https://xn--lu-9ia.example.fr/",
    "https://10.1.2.3/",
    "https://[::ffff:10.1.2.3]/",
    "https://[fd00:0::5]:8443/",
    "http://localhost:5232/",
]
MAY_NOT = {
    "http://agenda.example.fr/": "it is not encrypted (http)",
    "ftp://agenda.example.fr/": "it does not begin with https://",
    "file:///etc/passwd": "it does not begin with https://",
    "//agenda.example.fr/": "it does not begin with https://",
    "agenda.example.fr": "it does not begin with https://",
    "": "it does not begin with https://",
    "https://": "it names no host in a usual form",
    "https://agenda.example.fr@evil.example/": "it holds a user name or a password",
    "https://@agenda.example.fr/": "it holds a user name or a password",
    "https://evil.example\\@agenda.example.fr/": "it holds characters that an address cannot hold",
    "https://agenda.example.fr\n.evil.example/": "it holds characters that an address cannot hold",
    "https://evil.example/": "its host is not among the allowed ones",
    "https://agenda.example.fr.evil.example/": "its host is not among the allowed ones",
    "https://evilagenda.example.fr/": "its host is not among the allowed ones",
    "https://partner.example.fr/": "its host is not among the allowed ones",
    "https://agenda.example.fr:22/": "port 22 of this host is not among the allowed ones",
    "https://dav.example.fr/": "port 443 of this host is not among the allowed ones",
    "https://agenda.example.fr:0/": "port 0 of this host is not among the allowed ones",
    "https://agenda.example.fr:99999/": "it is not an address",
    "https://10.1.2.3:8080/": "port 8080 of this host is not among the allowed ones",
    "https://10.1.2.4/": "it is an address of a private network that is not among the allowed ones",
    "https://192.168.0.1/": "it is an address of a private network that is not among the allowed ones",
    "https://169.254.169.254/latest/meta-data/": "it is a link-local address that is not among the allowed ones",
    "https://[fe80::1]/": "it is a link-local address that is not among the allowed ones",
    "https://127.0.0.1/": "it is an address of this machine that is not among the allowed ones",
    "https://[::1]/": "it is an address of this machine that is not among the allowed ones",
    "https://[::ffff:127.0.0.1]/": "it is an address of this machine that is not among the allowed ones",
    "https://8.8.8.8/": "its address is not among the allowed ones",
    "https://2130706433/": "it names no host in a usual form",
    "https://127.1/": "it names no host in a usual form",
    "https://0x7f.0.0.1/": "it names no host in a usual form",
    "https://0177.0.0.1/": "it is not an address",
    "https://straße.example.fr/": "it can be read in several ways",
    "https://a%2eb/": "it names no host in a usual form",
    "http://localhost/": "port 80 of this host is not among the allowed ones",
}


@pytest.mark.parametrize("url", MAY)
def test_listed_hosts_may_be_asked_however_they_are_spelled(url: str) -> None:
    assert refusal(url, ALLOWED) is None


@pytest.mark.parametrize("url", MAY_NOT)
def test_everything_else_is_refused_with_a_reason(url: str) -> None:
    assert refusal(url, ALLOWED) == MAY_NOT[url]


SIGNS = ["", "", *":/@\\[].#?%。\t\n éß\u200bＡ0", "%40"]
LISTED = [
    "straße.example.fr",
    "agenda.example.fr",
    "a.partner.example.fr",
    "dav.example.fr",
    "10.1.2.3",
    "localhost",
    "[fd00::5]",
]
HOSTS = [*LISTED, "evil.example", "partner.example.fr", "[::1]", "127.0.0.1", "0x7f000001"]


@st.composite
def almost_right(draw: st.DrawFn) -> str:
    """An address of a listed host or another, with a sign put in somewhere."""
    parts = (
        ("https", "https", "http", "HTTPS"),
        ("://",),
        ("", "", "u@", "u:p@"),
        HOSTS,
        ("", ":443", ":8443", ":5232"),
    )
    url = "".join(draw(st.sampled_from(part)) for part in parts) + draw(st.sampled_from(["", "/", "/@x", "?x", "#x"]))
    place = draw(st.integers(0, len(url)))
    return url[:place] + draw(st.sampled_from(SIGNS)) + url[place:]


URLS = st.one_of(st.text(max_size=40), almost_right())


@settings(max_examples=600)
@given(URLS)
def test_whatever_is_accepted_leads_to_a_listed_host_for_every_parser(url: str) -> None:
    """Else the check would look at one host and the client go to another."""
    if refusal(url, ALLOWED) is not None:
        return
    parts, parsed = urlsplit(url), httpx2.URL(url)
    assert parts.scheme == parsed.scheme
    assert not parsed.userinfo
    usual = {"https": 443, "http": 80}[parts.scheme]
    for host, port in ((parts.hostname or "", parts.port), (parsed.raw_host.decode(), parsed.port)):
        listed = [pattern for pattern in ALLOWED if pattern.covers(host_name(host))]
        assert (port or usual) in {pattern.port or usual for pattern in listed}
        assert parts.scheme == "https" or is_loopback(host)


@given(URLS)
def test_nothing_is_accepted_without_a_list(url: str) -> None:
    assert refusal(url, []) is not None


@given(URLS)
def test_a_refusal_never_repeats_the_address(url: str) -> None:
    """What a person typed may hold a password."""
    said = refusal(url, ALLOWED) or ""
    host = urlsplit(url).hostname if _parses(url) else None
    assert not host or len(host) < 4 or host not in said


def _parses(url: str) -> bool:
    try:
        urlsplit(url)
    except ValueError:
        return False
    return True


@given(st.from_regex(re.compile(r"[a-z0-9.:_-]{1,30}"), fullmatch=True))
def test_a_host_in_its_one_spelling_stays_so(text: str) -> None:
    try:
        once = host_name(text)
    except ValueError:
        return
    assert host_name(once) == once
    assert host_name(once.upper() + ("" if address_of(once) else ".")) == once


NO_HOSTS = ["", "*", "*.fr", "*.10.0.0.1", "a b", "https://x.fr", "x.fr/", "x.fr:0", "*x.fr", "u@x"]


@pytest.mark.parametrize("text", NO_HOSTS)
def test_what_is_no_host_cannot_be_listed(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        exact_pattern(text)


WAYS = [
    ("https://agenda.example.fr/", [], True),
    ("https://agenda.example.fr/", ["example.fr"], False),
    ("https://agenda.example.fr/", [".example.fr"], False),
    ("https://example.fr/", [".example.fr"], False),
    ("https://agenda.example.fr/", ["*.EXAMPLE.fr."], False),
    ("https://myexample.fr/", ["example.fr"], True),
    ("https://agenda.example.fr/", ["agenda.example.fr:8443"], True),
    ("https://agenda.example.fr:8443/", ["agenda.example.fr:8443"], False),
    ("https://agenda.example.fr/", ["agenda.example.fr:443"], False),
    ("https://10.9.8.7/", ["10.0.0.0/8"], False),
    ("https://11.9.8.7/", ["10.0.0.0/8"], True),
    ("https://10.9.8.7/", ["fd00::/8", "10.9.8.7"], False),
    ("https://[fd00::1]/", ["fd00::/8"], False),
    ("https://ten.example.fr/", ["10.0.0.0/8"], True),
    ("http://127.0.0.1:5232/", [], False),
    ("http://localhost:5232/", [], False),
    ("https://[::1]/", [], False),
    ("https://127.8.8.8/", [], False),
]


@pytest.mark.parametrize(("url", "exceptions", "proxied"), WAYS)
def test_which_way_leads_to_a_host(url: str, exceptions: list[str], proxied: bool) -> None:
    """As other programs read such a list; this machine itself never through a proxy."""
    proxy = Proxy("http://proxy.example.fr:3128", exceptions=tuple(map(proxy_exception, exceptions)))
    assert Network(proxy=proxy).proxy_for(url) == (proxy if proxied else None)
    assert Network().proxy_for(url) is None


@pytest.mark.parametrize("text", ["", "*", "10.0.0.0/40", "a b", "http://x"])
def test_what_is_no_exception_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        proxy_exception(text)


def test_where_an_address_leads() -> None:
    assert str(host_and_port("https://Agenda.Example.fr/dav")) == "agenda.example.fr:443"
    assert str(host_and_port("http://[0:0::1]:80")) == "[::1]:80"
