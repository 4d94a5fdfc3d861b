"""What links answer, over real sockets."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import logging
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import icalendar
import pytest

from gateway.feeds.limits import PerMinute
from gateway.feeds.links import Links
from gateway.feeds.pages import Pages
from gateway.feeds.readers import Readers
from gateway.feeds.routes import FeedParts, feed_routes
from gateway.feeds.serving import FeedServer
from gateway.feeds.values import new_token
from gateway.store.store import Store
from gateway.web.listeners import Limits, Listeners, listening
from mappings.feed_levels import Level
from tests.feeds.samples import FEEDS, PARIS, Clock, builder, new_link, rdv, save
from tests.store.samples import NOW

BASE = "https://cal.example.fr"
BROWSER = {"accept": "text/html,application/xhtml+xml"}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Site:
    """A listener on a free port, and everything behind it."""

    store: Store
    clock: Clock
    readers: Readers
    port: int

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
            found = connection.getresponse()
            return Answer(found.status, {name.lower(): text for name, text in found.getheaders()}, found.read())


@pytest.fixture
def site(store: Store) -> Iterator[Site]:
    yield from serving(store)


def serving(store: Store, *, links: int = 1_000, unknown: int = 1_000) -> Iterator[Site]:
    clock, readers = Clock(), Readers(store)
    server = FeedServer(store, builder(store), clock, BASE)
    limits = (PerMinute(links), PerMinute(unknown))
    routes = feed_routes(FeedParts(server, Pages(BASE, PARIS), readers, FEEDS, clock, *limits))
    public, internal = listening("127.0.0.1:0"), listening("127.0.0.1:0")
    listeners = Listeners((public, routes), (internal, ()), Limits(10_000, 16_384))
    listeners.start()
    yield Site(store, clock, readers, public.getsockname()[1])
    listeners.stop()
    public.close()
    internal.close()


def until(site: Site, path: str, etag: str) -> Answer:
    """The next answer with another validator, within the two seconds that are promised."""
    ends = time.monotonic() + 2.0
    while time.monotonic() < ends:
        found = site.get(path)
        if found.headers.get("etag") != etag:
            return found
        time.sleep(0.05)
    raise AssertionError("nothing changed within two seconds")


def test_a_feed_and_its_headers(site: Site) -> None:
    save(site.store, rdv(1))
    made = new_link(site.store)
    found = site.get(f"/ical/{made.token}.ics")
    assert found.status == 200
    assert found.headers["content-type"] == "text/calendar; charset=utf-8"
    assert found.headers["cache-control"] == "private, no-cache"
    assert found.headers["referrer-policy"] == "no-referrer"
    assert found.headers["x-robots-tag"] == "noindex, nofollow"
    assert found.headers["last-modified"] == "Mon, 02 Mar 2026 08:30:00 GMT"
    assert f"SOURCE;VALUE=URI:{BASE}/ical/{made.token}.ics" in found.text.replace("\r\n ", "")
    assert len(icalendar.Calendar.from_ical(found.body).walk("VEVENT")) == 1
    head = site.get(f"/ical/{made.token}.ics", "HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(found.body)))
    assert {name: text for name, text in head.headers.items() if name != "date"} == {
        name: text for name, text in found.headers.items() if name != "date"
    }
    zipped = site.get(f"/ical/{made.token}.ics", accept_encoding="br, gzip;q=0.8")
    assert zipped.headers["content-encoding"] == "gzip"
    assert gzip.decompress(zipped.body) == found.body
    assert zipped.headers["etag"] != found.headers["etag"]
    assert "content-encoding" not in site.get(f"/ical/{made.token}.ics", accept_encoding="gzip;q=0").headers


def test_nothing_is_sent_twice_to_who_has_it(site: Site) -> None:
    save(site.store, rdv(1))
    path = f"/ical/{new_link(site.store).token}.ics"
    found = site.get(path)
    etag, modified = found.headers["etag"], found.headers["last-modified"]
    table = {
        304: ({"if_none_match": etag}, {"if_none_match": f'W/{etag}, "x"'}, {"if_none_match": "*"}),
        200: ({"if_none_match": '"x"'}, {"if_none_match": '"x"', "if_modified_since": modified}),
    }
    for status, given in table.items():
        for headers in given:
            assert site.get(path, **headers).status == status
    assert site.get(path, if_modified_since=modified).status == 304
    assert site.get(path, if_modified_since="Sun, 01 Mar 2026 08:30:00 GMT").status == 200
    assert site.get(path, if_modified_since="yesterday").status == 200
    zipped = site.get(path, accept_encoding="gzip").headers["etag"]
    again = site.get(path, accept_encoding="gzip", if_none_match=zipped)
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", zipped)


def test_a_change_shows_within_two_seconds_and_nothing_else_moves_the_validator(site: Site) -> None:
    save(site.store, rdv(1))
    path = f"/ical/{new_link(site.store).token}.ics"
    first = site.get(path)
    site.clock.at = NOW + timedelta(hours=1)
    save(site.store, rdv(1, days=8))
    second = until(site, path, first.headers["etag"])
    assert second.headers["last-modified"] == "Mon, 02 Mar 2026 09:30:00 GMT"
    site.clock.at = NOW + timedelta(days=1)
    assert site.get(path, if_none_match=second.headers["etag"]).status == 304


def test_unknown_revoked_and_emptied_links(site: Site) -> None:
    made = new_link(site.store)
    path = f"/ical/{made.token}"
    assert site.get(f"{path}.ics").status == 200
    nobody = {site.get(f"/ical/{token}{end}").text for token in (new_token(), "x", "%00") for end in ("", ".ics")}
    assert nobody == {"Not found\n"}
    open_etag = site.get(f"{path}.ics").headers["etag"]
    save(site.store, rdv(1))
    open_etag = until(site, f"{path}.ics", open_etag).headers["etag"]
    Links(site.store, FEEDS, site.clock, "tests").revoke([made.link.id])
    emptied = until(site, f"{path}.ics", open_etag)
    assert emptied.status == 200
    assert icalendar.Calendar.from_ical(emptied.body).walk("VEVENT") == []
    page = site.get(path, **BROWSER)
    assert page.status == 410
    assert "03 21 00 00 00" in page.text
    site.clock.at = NOW + timedelta(days=31)
    assert site.get(f"{path}.ics").status == 410
    assert "03 21 00 00 00" in site.get(f"{path}.ics", **BROWSER).text


def test_a_rotated_link_works_until_the_grace_is_over(site: Site) -> None:
    save(site.store, rdv(1, days=100))
    old = new_link(site.store)
    new = Links(site.store, FEEDS, site.clock, "tests").rotate(old.link.id)
    for days, there in ((0, [1, 1]), (30, [0, 1])):
        site.clock.at = NOW + timedelta(days=days)
        found = [site.get(f"/ical/{made.token}.ics").body for made in (old, new)]
        assert [len(icalendar.Calendar.from_ical(body).walk("VEVENT")) for body in found] == there


def test_the_page_adds_one_rdv_first_and_says_nothing_beyond_the_level(site: Site) -> None:
    save(site.store, rdv(1, lieu_name="<b>MDS Nord</b>"), rdv(2, days=-3))
    made = new_link(site.store)
    page = site.get(f"/ical/{made.token}", **BROWSER)
    assert page.status == 200
    assert "<title>Agenda</title>" in page.text
    assert "lundi 9 mars 2026, de 09:00 à 09:30" in page.text
    assert page.text.count("<li>\n<h2>") == 1
    for word in ("RSA", "MDS", "<script", "og:"):
        assert word not in page.text
    assert "script-src" not in page.headers["content-security-policy"]
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    files = re.findall(rf'href="{BASE}(/ical/[^"]+/[0-9a-f]+\.ics)"', page.text)
    assert len(files) == 1
    assert page.text.index(files[0]) < page.text.index("webcal://")
    single = site.get(files[0])
    assert single.headers["content-disposition"].startswith("attachment")
    assert len(icalendar.Calendar.from_ical(single.body).walk("VEVENT")) == 1
    assert site.get(f"/ical/{made.token}/{'0' * 32}.ics").status == 404
    english = site.get(f"/ical/{made.token}?lang=en", **BROWSER)
    assert '<html lang="en">' in english.text
    assert "Your next appointments" in english.text
    assert not re.search(r"\b(Vos|rendez-vous|Ajouter|agenda)\b", english.text.replace("Rendez-vous", ""))


def test_what_agents_wrote_is_text_on_the_page(site: Site) -> None:
    save(site.store, rdv(1, lieu_name="<script>alert(1)</script>", motif_name='"><img src=x>'))
    made = new_link(site.store, level=Level.FULL)
    page = site.get(f"/ical/{made.token}", **BROWSER)
    assert "&lt;script&gt;" in page.text
    assert "<img" not in page.text


def test_who_guesses_is_stopped_and_one_link_cannot_be_asked_for_without_end(store: Store) -> None:
    for site in serving(store, links=5, unknown=3):
        path = f"/ical/{new_link(site.store).token}.ics"
        assert [site.get(path).status for _ in range(6)] == [200] * 5 + [429]
        site.clock.at += timedelta(minutes=1)
        assert [site.get(f"/ical/{new_token()}.ics").status for _ in range(5)] == [404] * 3 + [429] * 2
        assert site.get(path).status == 429
        site.clock.at += timedelta(minutes=1)
        assert site.get(path).status == 200


def test_readers_are_counted_without_who_they_are_and_previews_are_none(site: Site) -> None:
    made = new_link(site.store)
    path = f"/ical/{made.token}.ics"
    for program in ("iOS/26", "iOS/26", "Google-Calendar-Importer", "WhatsApp/2.23", "facebookexternalhit/1.1"):
        site.get(path, user_agent=program)
    site.readers.flush()
    with site.store.feeds() as tables:
        use = tables.uses(NOW.date())[made.link.id]
    assert (use.last_on, use.readers) == ("2026-03-02", 2)


def test_no_log_holds_a_token(site: Site, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    caplog.set_level(logging.DEBUG)
    save(site.store, rdv(1))
    made = new_link(site.store)
    for path in (f"/ical/{made.token}.ics", f"/ical/{made.token}", f"/ical/{made.token}/abc.ics"):
        site.get(path, **BROWSER)
    out = capfd.readouterr()
    text = caplog.text + out.out + out.err
    assert made.token not in text
    assert "RSA" not in text


def test_a_feed_that_is_made_while_its_data_change_is_not_kept(store: Store) -> None:
    """The change is noted under a later number than the one that was read first."""
    save(store, rdv(1))
    made = new_link(store)
    for site in serving(store):
        first = site.get(f"/ical/{made.token}.ics")
        save(store, replace(rdv(1, days=9)))
        assert until(site, f"/ical/{made.token}.ics", first.headers["etag"]).status == 200
