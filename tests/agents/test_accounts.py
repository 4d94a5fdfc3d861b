"""Names of agents' accounts, credentials files, and the book of accounts."""

import pytest

from connectors.records import Agent
from gateway.agents.accounts import AccountBook, Aliases, account_check, filled, part_name, read_credentials
from gateway.settings import load
from gateway.settings_problems import SettingsError

HEAD = '[rdv_solidarites]\nurl = "https://www.rdv-solidarites.fr"\nlogin = "t@example.fr"\npassword_env = "X"\n'


def settings(tmp_path, accounts: str):
    path = tmp_path / "rdv-gateway.toml"
    path.write_text(HEAD + accounts, encoding="utf-8")
    return load(path)


def account(**keys: str) -> str:
    keys = {"name": "z", "url": "https://agenda.example.fr/", "username": "s", "password_env": "X"} | keys
    return "[[accounts]]\n" + "".join(f'{key} = "{value}"\n' for key, value in keys.items() if value)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/dav/{email}/", "/dav/martine@example.fr/"),
        ("/SOGo/dav/{local}/Calendar/", "/SOGo/dav/martine/Calendar/"),
        ("/dav/calendars/user/{login}/", "/dav/calendars/user/mdurand/"),
        ("/plain/", "/plain/"),
    ],
)
def test_a_template_is_filled_for_one_person(template, path):
    assert filled(template, "martine@example.fr", "mdurand") == path


@pytest.mark.parametrize(
    ("email", "login"), [("a/../b@x", "a"), ("a@x", ".."), ("a@x", "a%2Fb"), ("..@x", "a"), ("a@x", "a?b"), ("", "a")]
)
def test_no_name_leads_out_of_its_place(email, login):
    """E-mails come from whoever administers RDV-Solidarités."""
    with pytest.raises(LookupError):
        filled("/dav/{email}/{login}/{local}/", email, login)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"home": "/{mail}/"}, "between braces, expected {email}, {local} or {login}"),
        ({"home": "/{email.x}/"}, "between braces"),
        ({"home": "/{email/"}, "a brace is not closed"),
        ({"url": "https://{local}.example.fr/"}, "this address cannot be used"),
        ({"url": "https://x.fr/{email}/", "home": "/{email}/"}, "not in both"),
        ({"credentials_file": "c.csv"}, "there is no username"),
        ({"username": ""}, "username is missing"),
    ],
)
def test_a_reach_that_is_not_clear_is_refused(tmp_path, keys, said):
    with pytest.raises(SettingsError) as refused:
        settings(tmp_path, account(**keys))
    assert said in str(refused.value)


class TestCredentials:
    """One account for each agent."""

    def written(self, tmp_path, text: str, mode: int = 0o600):
        path = tmp_path / "c.csv"
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def test_are_read_by_email_whatever_its_case_and_hidden(self, tmp_path):
        path = self.written(tmp_path, '\ufeffemail;username;password\nMartine@Example.fr;martine;"pa;ss"\n')
        found = read_credentials(path, "z")
        assert found["martine@example.fr"].password == "pa;ss"
        assert "pa;ss" not in repr(found)

    @pytest.mark.parametrize(
        ("text", "mode", "said"),
        [
            ("email;username;password\na@b;c;secret-word\n", 0o644, "open to others"),
            ("email;user;password\na@b;c;secret-word\n", 0o600, "expected the columns"),
            ("email;username;password\na@b;;secret-word\n", 0o600, "line 2"),
            ("email;username;password\na@b;c;d\nA@B;c;secret-word\n", 0o600, "twice"),
            ("email;username;password;url\na@b;c;secret-word;http://elsewhere.fr/\n", 0o600, "its url cannot be used"),
        ],
    )
    def test_a_file_that_cannot_be_used_says_why_and_no_secret(self, tmp_path, text, mode, said):
        with pytest.raises(SettingsError) as refused:
            read_credentials(self.written(tmp_path, text, mode), "z")
        assert said in str(refused.value)
        assert "secret-word" not in str(refused.value)


def test_aliases_lead_from_rdv_solidarites_to_the_calendar(tmp_path):
    """By e-mail or id; a login goes with the calendar's address."""
    made = settings(
        tmp_path,
        account(home="/{login}/")
        + '[[aliases]]\nemail = "A@x.fr"\ncalendar_email = "B@y.fr"\nlogin = "bb"\n'
        + '[[aliases]]\nagent = 7\ncalendar_email = "c@y.fr"\n',
    )
    aliases = Aliases.of(made)
    assert aliases.calendar_email(Agent(1, "a@X.fr", "", "")) == "b@y.fr"
    assert aliases.calendar_email(Agent(7, None, "", "")) == "c@y.fr"
    assert aliases.calendar_email(Agent(8, None, "", "")) is None
    assert aliases.logins == {"b@y.fr": "bb"}


@pytest.mark.parametrize(
    ("keys", "name", "said"),
    [
        ({}, "z", None),
        ({}, "q", "there is no account q"),
        ({}, "z/a@b", "reaches no home by e-mail"),
        ({}, "z//dav/a/", None),
        ({"home": "/{email}/"}, "z", "serves many"),
        ({"home": "/{email}/"}, "z/a@b", None),
    ],
)
def test_an_account_s_name_is_checked_without_reaching_anything(tmp_path, keys, name, said):
    fault = account_check(settings(tmp_path, account(**keys)))(name)
    assert fault is None if said is None else said in fault


class FakeAccount:
    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def test_a_part_is_made_once_and_closed_with_the_book():
    """Parts that share their section's connections are counted and closed with it."""
    made = []

    def maker(part: str) -> FakeAccount:
        if part == "nobody":
            raise LookupError(part)
        made.append(FakeAccount(part))
        return made[-1]

    service = FakeAccount("service")
    book = AccountBook({"service": service}, {"service": maker, "own": maker}, sharing=["service"])
    assert book["service/a@b"] is book["service/a@b"]
    assert book["own/a@b"] is not book["service/a@b"]
    assert book.get("own/nobody") is None
    assert book.get("elsewhere") is None
    assert set(book) == {"service", "own/a@b"}
    book.close()
    assert service.closed == 1
    assert [account.closed for account in made] == [0, 1]


def test_a_part_is_named_by_email_in_lower_case_or_by_path():
    assert (part_name("z", "A@B.fr"), part_name("z", "/Dav/A/")) == ("z/a@b.fr", "z//Dav/A/")
