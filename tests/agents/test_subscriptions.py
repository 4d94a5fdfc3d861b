"""Subscriptions in the configuration: their keys, their links, whose they are, and how they are enrolled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from connectors.ics import IcsAccount
from gateway.agents.accounts import AccountBook, account_check, published_link, read_links
from gateway.clock import SystemClock
from gateway.composition import account_book, shared_by_accounts
from gateway.settings import Settings, load
from gateway.settings_problems import SettingsError

HEAD = """
[network]
allowed_hosts = ["*.partner.example.fr"]
[rdv_solidarites]
url = "https://www.rdv-solidarites.fr"
login = "t@example.fr"
password_env = "X"
[[accounts]]
name = "feeds"
kind = "ics"
"""
SECRET = "jeton-abc"
URL = 'url = "https://outlook.example.fr/"\n'
LINK = f"https://outlook.example.fr/owa/{SECRET}/calendar.ics?x={SECRET}"


def settings(directory: Path, keys: str) -> Settings:
    path = directory / "rdv-gateway.toml"
    path.write_text(HEAD + keys, encoding="utf-8")
    return load(path)


def links_file(directory: Path, text: str, mode: int = 0o600) -> Path:
    path = directory / "links.csv"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (URL, "expected exactly one of link_env"),
        (URL + 'link_env = "A"\nlink_file = "b"\n', "expected exactly one of link_env"),
        (URL + 'link_env = "A"\ncredentials_file = "b"\n', "expected exactly one of link_env"),
        ('url = "https://z.example.fr/home/{email}/c.ics"\nlink_env = "A"\n', "expected exactly one of link_env"),
        (URL + 'link_env = "A"\nusername = "u"\n', "no username"),
        (URL + 'link_env = "A"\npassword_env = "u"\n', "no password"),
        (URL + 'link_env = "A"\nhome = "/h/"\n', "no home"),
        (URL + f'link = "{LINK}"\n', "give link_env or link_file"),
        (URL.replace("outlook.example.fr/", f"outlook.example.fr/?x={SECRET}") + 'link_env = "A"\n', "without ? or #"),
        (URL.replace("https:", "http:") + 'link_env = "A"\n', "expected https://"),
    ],
)
def test_a_section_that_is_not_clear_is_refused_and_no_link_is_repeated(tmp_path: Path, keys: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings(tmp_path, keys)
    assert said in str(refused.value)
    assert SECRET not in str(refused.value)


def test_a_link_is_for_a_subscription_alone(tmp_path: Path) -> None:
    other = '[[accounts]]\nname = "agenda"\nurl = "https://agenda.example.fr/"\nlink_env = "A"\n'
    with pytest.raises(SettingsError, match='are for kind = "ics"'):
        settings(tmp_path, f'{URL}link_env = "A"\n{other}')


@pytest.mark.parametrize(("more", "whose"), [("", "agent"), ('belongs_to = "it"\n', "it")])
def test_who_published_is_told_unless_said_otherwise(tmp_path: Path, more: str, whose: str) -> None:
    assert settings(tmp_path, URL + 'link_env = "A"\n' + more).accounts[0].belongs_to == whose


class TestLinks:
    def test_are_read_by_email_whatever_its_case(self, tmp_path: Path) -> None:
        path = links_file(tmp_path, f"\ufeffEmail;URL\nMartine@Example.fr; {LINK} \n;\n")
        assert read_links(path, "feeds") == {"martine@example.fr": LINK}

    @pytest.mark.parametrize(
        ("text", "mode", "said"),
        [
            (f"email;url\na@b;{LINK}\n", 0o640, "open to others"),
            (f"email;link\na@b;{LINK}\n", 0o600, "expected the columns email and url"),
            (f"email;url;password\na@b;{LINK};x\n", 0o600, "expected the columns email and url"),
            (f"email;url\n;{LINK}\n", 0o600, "line 2: email or url is missing"),
            (f"email;url\na@b;{LINK}\nA@b;{LINK}\n", 0o600, "line 3: an e-mail stands there twice"),
            (f"email;url\na@b;{LINK.replace('https', 'http')}\n", 0o600, "its url cannot be used"),
        ],
    )
    def test_a_file_that_cannot_be_used_says_why_and_no_link(
        self, tmp_path: Path, text: str, mode: int, said: str
    ) -> None:
        with pytest.raises(SettingsError) as refused:
            read_links(links_file(tmp_path, text, mode), "feeds")
        assert said in str(refused.value)
        assert SECRET not in str(refused.value)

    @pytest.mark.parametrize("scheme", ["webcal", "webcals", "WebCal", "https"])
    def test_programs_that_subscribe_write_them_in_their_own_way(self, scheme: str) -> None:
        assert published_link(f" {scheme}://a.example.fr/x.ics\n") == "https://a.example.fr/x.ics"


@pytest.fixture
def book(tmp_path: Path) -> Iterator[AccountBook]:
    """Subscriptions of two agents, one of them elsewhere."""
    text = f"email;url\nmartine@x.fr;{LINK}\npaul@x.fr;https://dav.partner.example.fr/{SECRET}\n"
    made = settings(tmp_path, f'{URL}credentials_file = "{links_file(tmp_path, text)}"\n')
    with closing(account_book(made, shared_by_accounts(SystemClock()))) as book:
        yield book


class TestBook:
    def test_each_agent_has_their_own(self, book: AccountBook) -> None:
        martine, paul = book["feeds/martine@x.fr"], book["feeds/paul@x.fr"]
        assert (martine.host, paul.host) == ("outlook.example.fr:443", "dav.partner.example.fr:443")
        assert martine is book["feeds/martine@x.fr"]
        assert SECRET not in repr(martine) + martine.host

    @pytest.mark.parametrize("name", ["feeds", "feeds/nobody@x.fr", "feeds//home/martine/"])
    def test_there_is_no_other(self, book: AccountBook, name: str) -> None:
        assert book.get(name) is None

    def test_one_link_is_one_account(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("A_LINK", LINK.replace("https", "webcal"))
        made = settings(tmp_path, URL + 'link_env = "A_LINK"\n')
        with closing(account_book(made, shared_by_accounts(SystemClock()))) as book:
            assert isinstance(book["feeds"], IcsAccount)
            assert list(book) == ["feeds"]

    def test_a_template_leads_to_each_agent_s(self, tmp_path: Path) -> None:
        made = settings(tmp_path, 'url = "https://zimbra.example.fr/home/{email}/Calendar.ics"\n')
        with closing(account_book(made, shared_by_accounts(SystemClock()))) as book:
            assert book["feeds/martine@x.fr"].host == "zimbra.example.fr:443"
            for name in ("feeds/a/../b@x.fr", "feeds//admin/", "feeds"):
                assert book.get(name) is None

    @pytest.mark.parametrize("host", ["elsewhere.example.fr", "10.0.0.8", "outlook.example.fr:8443", "127.0.0.1"])
    @pytest.mark.parametrize("many", [True, False])
    def test_a_link_to_a_host_that_is_not_allowed_is_refused(self, tmp_path: Path, host: str, many: bool) -> None:
        link = f"https://{host}/{SECRET}.ics"
        if many:
            links = links_file(tmp_path, f"email;url\na@b;{link}\n")
            keys = f'credentials_file = "{links}"\n'
        else:
            (tmp_path / "link").write_text(link)
            keys = 'link_file = "link"\n'
        with pytest.raises(SettingsError, match=r"1 of its addresses cannot be used.*allowed_hosts") as refused:
            account_book(settings(tmp_path, URL + keys), shared_by_accounts(SystemClock()))
        assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("feeds/martine@x.fr", None),
        ("feeds/nobody@x.fr", "no line for nobody@x.fr"),
        ("feeds", "no line for nobody"),
        ("feeds//home/", "no line for /home/"),
    ],
)
def test_a_name_is_checked_without_reaching_anything(tmp_path: Path, name: str, said: str | None) -> None:
    path = links_file(tmp_path, f"email;url\nmartine@x.fr;{LINK}\n")
    fault = account_check(settings(tmp_path, f'{URL}credentials_file = "{path}"\n'))(name)
    assert fault is None if said is None else said in str(fault)


def test_a_subscription_has_no_homes(tmp_path: Path) -> None:
    check = account_check(settings(tmp_path, URL + 'link_env = "A"\n'))
    assert check("feeds") is None
    assert "has no homes" in str(check("feeds//home/martine/"))
