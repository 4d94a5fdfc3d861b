"""`rdvs login`, `rdvs status`, `rdvs logout`: consent on a machine without a browser, and one with."""

from __future__ import annotations

import io
import re
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from gateway.clock import SystemClock
from gateway.composition import opened_store, rdv_solidarites_client, stored_token
from gateway.consent import consent_problem
from gateway.sandbox.accounts import CLIENT_ID, CLIENT_SECRET
from gateway.sandbox.seed import ACCOUNT
from gateway.settings import load
from tests.cli.conftest import Answer, Cli, Deployment

REGISTERED = "https://agenda.departement.example.fr/rdv-gateway"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def oauth(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Cli]:
    """The deployment with an OAuth application in place of a password."""
    monkeypatch.setenv("CLIENT_SECRET", CLIENT_SECRET)
    config = deployment.cli.config

    def configured(redirect_uri: str = REGISTERED, more: str = "") -> Cli:
        lines = config.read_text().splitlines()
        kept = [line for line in lines if not line.startswith(("login", 'password_env = "RDV_SOL'))]
        section = (
            f'[rdv_solidarites.oauth]\nclient_id = "{CLIENT_ID}"\nclient_secret_env = "CLIENT_SECRET"\n'
            f'redirect_uri = "{redirect_uri}"\n{more}\n'
        )
        config.write_text("\n".join(kept).replace("[[accounts]]", f"{section}[[accounts]]"))
        return deployment.cli

    return configured


class Person(io.StringIO):
    """Reads the address on stderr, goes there with a browser as `who`, and types what the browser ended on."""

    def __init__(self, stderr: io.TextIOBase, change: Callable[[str], str] = str, who: str = ACCOUNT) -> None:
        super().__init__()
        self._stderr = stderr
        self._change = change
        self._who = who

    def readline(self, *_: object) -> str:
        return self._change(ended_on(asked(self._stderr.getvalue()), self._who)) + "\n"


def asked(text: str) -> str:
    """The address that the command gave."""
    found = re.search(r"^https?://\S+/oauth/authorize\S+$", text, re.MULTILINE)
    assert found, text
    return found[0]


def ended_on(url: str, who: str) -> str:
    answer = httpx2.get(f"{url}&login_hint={who}", trust_env=False)
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def log_in(cli: Cli, monkeypatch: pytest.MonkeyPatch, change: Callable[[str], str] = str, who: str = ACCOUNT) -> Answer:
    """`rdvs login` with what a person does."""
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(sys, "stdin", Person(stderr, change, who))
    answer = cli("rdvs", "login", "--json")
    monkeypatch.undo()
    monkeypatch.setenv("CLIENT_SECRET", CLIENT_SECRET)
    monkeypatch.setenv("AGENDA_PASSWORD", "calendar-password")
    return Answer(answer.code, answer.out, stderr.getvalue())


def code_of(address: str) -> str:
    return parse_qs(urlsplit(address).query)["code"][0]


class TestLogin:
    """The browser may be anywhere; only our own attempt can use the code."""

    @pytest.mark.parametrize("change", [str, code_of], ids=["address", "code"])
    def test_what_the_browser_ended_on_is_pasted(self, oauth, monkeypatch, deployment, change):
        """Afterwards everything works without a refresh token in the configuration, and after the token's two hours."""
        cli = oauth()
        assert cli("check").code == 3
        answer = log_in(cli, monkeypatch, change)
        assert answer.code == 0, answer.err
        assert (answer.json["agent"], answer.json["email"]) == (1, ACCOUNT)
        assert cli("check").code == 0
        deployment.double.state.accounts.expire_all()
        assert cli("check").code == 0

    def test_the_address_asks_for_pkce_with_a_secret_that_is_not_in_it(self, oauth, monkeypatch, deployment):
        """Who reads the address and the answer over a shoulder cannot use the code."""
        cli = oauth()
        stolen = []

        def steal_first(address: str) -> str:
            form = {"grant_type": "authorization_code", "code": code_of(address), "redirect_uri": REGISTERED}
            secret = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "code_verifier": "x" * 43}
            stolen.append(httpx2.post(f"{deployment.double.url}/oauth/token", data=form | secret, trust_env=False))
            return address

        answer = log_in(cli, monkeypatch, steal_first)
        query = parse_qs(urlsplit(asked(answer.err)).query)
        assert query["code_challenge_method"] == ["S256"]
        assert (query["scope"], query["redirect_uri"]) == (["write"], [REGISTERED])
        assert [(each.status_code, each.json()) for each in stolen] == [(400, {"error": "invalid_grant"})]
        assert answer.code == 3  # the double, as the service, uses the code up
        assert "code is good once" in answer.json["error"]["remedy"]

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda address: re.sub(r"state=[^&]+", "state=another", address), "not the answer to the address"),
            (lambda address: re.sub(r"&?state=[^&]+", "", address), "not the answer to the address"),
            (lambda address: re.sub(r"code=[^&]+&", "", address), "no authorization code"),
            (lambda _: "bonjour tout le monde", "no authorization code"),
            (lambda _: "00000000000000000000", "refuses the code"),
        ],
        ids=["other state", "no state", "no code", "prose", "invented code"],
    )
    def test_another_answer_is_refused_and_changes_nothing(self, oauth, monkeypatch, change, message):
        """An earlier consent stays."""
        cli = oauth()
        assert log_in(cli, monkeypatch).code == 0
        answer = log_in(cli, monkeypatch, change)
        assert answer.code == 3
        assert message in answer.json["error"]["messages"][0]
        assert answer.json["error"]["remedy"]
        assert cli("rdvs", "status").code == 0

    def test_a_refusal_in_the_browser_is_said(self, oauth, monkeypatch, deployment):
        cli = oauth()
        deployment.double.state.accounts.refuse_consents(refused=True)
        answer = log_in(cli, monkeypatch)
        assert answer.code == 3
        assert "refused in the browser" in answer.json["error"]["messages"][0]

    def test_a_code_that_waited_too_long_is_refused(self, oauth, monkeypatch, deployment):
        """Ten minutes at the service."""
        cli = oauth()
        storage = deployment.double.state.storage

        def too_late(address: str) -> str:
            storage.run("UPDATE oauth_codes SET expires_at = '2020-01-01 00:00:00'")
            return address

        assert "refuses the code" in log_in(cli, monkeypatch, too_late).err

    def test_a_wrong_application_secret_is_named(self, oauth, monkeypatch):
        cli = oauth()
        cli.config.write_text(cli.config.read_text().replace('client_id = "', 'client_id = "other-'))
        stderr = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stderr)
        monkeypatch.setattr(sys, "stdin", io.StringIO("00000000000000000000\n"))
        answer = cli("rdvs", "login", "--json")
        assert "application's id or secret" in answer.json["error"]["messages"][0]

    def test_a_later_consent_replaces_the_earlier_one(self, oauth, monkeypatch):
        """Of another agent too: it is said whose it is."""
        cli = oauth()
        assert log_in(cli, monkeypatch).code == 0
        other = log_in(cli, monkeypatch, who="martine@demo.example")
        assert other.json["email"] == "martine@demo.example"
        assert cli("rdvs", "status", "--json").json["email"] == "martine@demo.example"

    def test_nothing_secret_is_kept_in_clear_or_said(self, oauth, monkeypatch, deployment):
        """Neither code nor tokens, in files or on the terminal."""
        cli = oauth()
        codes = []
        answer = log_in(cli, monkeypatch, lambda address: codes.append(code_of(address)) or address)
        row = deployment.double.state.storage.rows("SELECT access_token, refresh_token FROM oauth_tokens")[-1]
        secrets = [*codes, *row]
        files = [path.read_bytes() for path in cli.config.parent.glob("rdv-gateway.sqlite3*")]
        journal = cli("journal").out
        for secret in secrets:
            assert not any(secret.encode() in content for content in files)
            assert secret not in answer.out + answer.err + journal
        assert "consent" in journal

    @pytest.mark.parametrize("why", ["password", "refresh token", "no line", "not this machine"])
    def test_what_cannot_work_is_said_at_once(self, deployment, oauth, monkeypatch, why):
        cli = deployment.cli
        arguments = ["rdvs", "login", "--json"]
        if why == "refresh token":
            oauth(more='refresh_token_env = "REFRESH"')
        elif why != "password":
            oauth()
        arguments += ["--listen"] if why == "not this machine" else []
        monkeypatch.setattr(sys, "stdin", io.StringIO(""))
        answer = cli(*arguments)
        assert answer.code == 2
        assert answer.json["error"]["remedy"]


class TestListening:
    """A browser on this machine, or behind a tunnel, brings the answer itself."""

    def start(self, cli, monkeypatch) -> tuple[threading.Thread, list[Answer], Callable[[], str]]:
        stderr = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stderr)
        answers: list[Answer] = []
        thread = threading.Thread(target=lambda: answers.append(cli("rdvs", "login", "--listen", "--json")))
        thread.start()

        def address() -> str:
            end = time.monotonic() + 10
            while "Waiting for the browser" not in stderr.getvalue():
                assert thread.is_alive(), stderr.getvalue()
                assert time.monotonic() < end, stderr.getvalue()
                time.sleep(0.01)
            return asked(stderr.getvalue())

        return thread, answers, address

    def test_the_redirect_is_taken_and_the_listener_ends(self, oauth, monkeypatch):
        """What else comes meanwhile (another page's request, a wrong state) is turned away, and ends nothing."""
        port = free_port()
        cli = oauth(f"http://127.0.0.1:{port}/retour")
        thread, answers, address = self.start(cli, monkeypatch)
        url = address()
        base = f"http://127.0.0.1:{port}"
        for other in ("/favicon.ico", "/retour", "/retour?code=00000000&state=forged", "/autre?code=0"):
            assert httpx2.get(base + other, trust_env=False).status_code == 404
        page = httpx2.get(ended_on(url, ACCOUNT), trust_env=False)
        thread.join(10)
        assert page.status_code == 200
        assert "fermer cette page" in page.text
        assert page.headers["referrer-policy"] == "no-referrer"
        assert answers[0].code == 0
        assert answers[0].json["email"] == ACCOUNT
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(base, trust_env=False)

    def test_a_refusal_ends_it_too(self, oauth, monkeypatch, deployment):
        port = free_port()
        cli = oauth(f"http://127.0.0.1:{port}/")
        deployment.double.state.accounts.refuse_consents(refused=True)
        thread, answers, address = self.start(cli, monkeypatch)
        httpx2.get(ended_on(address(), ACCOUNT), trust_env=False)
        thread.join(10)
        assert answers[0].code == 3
        assert "refused in the browser" in answers[0].json["error"]["messages"][0]

    def test_a_taken_port_is_said(self, oauth):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            cli = oauth(f"http://127.0.0.1:{taken.getsockname()[1]}/")
            answer = cli("rdvs", "login", "--listen", "--json")
        assert answer.code == 2
        assert "port" in answer.json["error"]["messages"][0]


class TestStatusAndLogout:
    """Whose access it is, and its end."""

    def test_a_password_access_says_so(self, deployment):
        answer = deployment.cli("rdvs", "status", "--json")
        assert answer.code == 0
        assert (answer.json["kind"], answer.json["email"], answer.json["consented_at"]) == ("password", ACCOUNT, None)
        assert "password" in deployment.cli("rdvs", "status").out

    def test_an_oauth_access_says_when_it_was_consented_to_and_renewed(self, oauth, monkeypatch):
        cli = oauth()
        log_in(cli, monkeypatch)
        answer = cli("rdvs", "status", "--json")
        assert answer.code == 0
        assert answer.json["kind"] == "OAuth"
        assert answer.json["consented_at"]
        assert answer.json["renewed_at"]
        assert "Consent" in cli("rdvs", "status").out

    @pytest.mark.parametrize("how", ["revoked", "a month idle"])
    def test_a_dead_consent_says_what_to_do(self, oauth, monkeypatch, deployment, how):
        cli = oauth()
        log_in(cli, monkeypatch)
        if how == "revoked":
            deployment.double.state.accounts.revoke_all()
        else:
            deployment.double.state.storage.run("UPDATE oauth_tokens SET expires_at = '2020-01-01 00:00:00'")
        for command in (["rdvs", "status"], ["check"]):
            answer = cli(*command)
            assert answer.code == 3
            assert "rdvs login" in answer.err

    def test_logout_forgets_and_a_running_sync_keeps_it_from_that(self, oauth, monkeypatch):
        cli = oauth()
        log_in(cli, monkeypatch)
        with opened_store(load(cli.config)) as store, store.sync_lock():
            assert cli("rdvs", "logout").code == 4
        assert cli("rdvs", "logout", "--json").json == {"forgotten": True}
        assert cli("rdvs", "logout", "--json").json == {"forgotten": False}
        answer = cli("rdvs", "status")
        assert answer.code == 3
        assert "rdvs login" in answer.err


class TestRenewal:
    """One process at a time renews, and an access that nobody renews is told of in time."""

    def test_two_processes_that_both_find_it_expired_renew_it_once(self, oauth, monkeypatch, deployment):
        """The second waits, then finds the first one's token: a refresh token is good once."""
        cli = oauth()
        log_in(cli, monkeypatch)
        settings = load(cli.config)
        with opened_store(settings) as store:
            kept = stored_token(settings, store, SystemClock())
            ended: list[int] = []
            deployment.double.requests.reset()
            deployment.double.state.accounts.expire_all()
            with kept.exclusive():
                threads = [threading.Thread(target=lambda: ended.append(_organisations(settings))) for _ in range(2)]
                for thread in threads:
                    thread.start()
                time.sleep(0.3)
                assert ended == []
            for thread in threads:
                thread.join(20)
        assert len(set(ended)) == 1
        assert deployment.double.request_counts["POST /oauth/token"] == 1

    @pytest.mark.parametrize(
        ("days", "words"),
        [(0, None), (6.9, None), (7.1, "last renewed 7 days ago"), (31, "probably forgotten the consent")],
    )
    def test_the_age_of_the_last_renewal_is_told_ahead(self, oauth, monkeypatch, days, words):
        cli = oauth()
        log_in(cli, monkeypatch)
        with opened_store(load(cli.config)) as store:
            problem = consent_problem(store, SystemClock().now() + timedelta(days=days), configured=False)
        assert (problem is None) == (words is None)
        if problem is not None:
            assert words in problem.reason
            assert (problem.addressee, problem.system) == ("it", "rdv_solidarites")
            assert "rdv-gateway" in problem.remedy


def _organisations(settings) -> int:
    with opened_store(settings) as store, closing(rdv_solidarites_client(settings, store, SystemClock())) as client:
        return len(client.organisations())
