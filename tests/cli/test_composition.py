"""What the composition makes of a configuration."""

import sqlite3

import pytest

from gateway.cli.enroll import Wish, enroll
from gateway.clock import SystemClock
from gateway.composition import engine_settings, opened, opened_store, stored_token
from gateway.rules.book import RuleSubject
from gateway.sandbox.accounts import CLIENT_ID, CLIENT_SECRET
from gateway.settings import load
from gateway.settings_problems import SettingsError
from tests.cli.conftest import MARTINE


def test_a_stored_token_is_encrypted_and_found_again(deployment):
    """By the process that comes later."""
    settings = load(deployment.cli.config)
    with opened_store(settings) as store:
        assert stored_token(settings, store, SystemClock()).load() is None
        stored_token(settings, store, SystemClock()).save("token-in-clear")
    with opened_store(settings) as store:
        assert stored_token(settings, store, SystemClock()).load() == "token-in-clear"
    files = settings.gateway.database.parent.glob("rdv-gateway.sqlite3*")
    assert not any(b"token-in-clear" in file.read_bytes() for file in files)


def test_what_the_configuration_says_reaches_the_engine(deployment):
    """Rules, labels, zones and pace."""
    config = deployment.cli.config
    text = config.read_text().replace("[gateway]", "[gateway]\nthreads_per_host = 2")
    text = text.replace(
        "requests_per_second", 'time_zone = "Indian/Reunion"\nfar_reading_hours = 2.0\nrequests_per_second'
    )
    config.write_text(text + "\n[rules]\nhorizon_days = 9\n[rules.copies]\nneutral_title = 'Rendez-vous'\n")
    made = engine_settings(load(config))
    book = made.rulebook
    assert (book.for_agent(RuleSubject(1)).horizon_days, book.longest_horizon_days) == (9, 9)
    assert [section.copies for section in book.sections] == [{"neutral_title": "Rendez-vous"}]
    assert (made.default_zone.key, made.far_interval.total_seconds(), made.threads_per_host) == (
        "Indian/Reunion",
        7200,
        2,
    )


def test_oauth_signs_in_with_the_consent_s_token_and_keeps_what_follows(deployment, monkeypatch):
    """A refresh token is spent by its use: the next process needs the one that came after."""
    accounts = deployment.double.state.accounts
    consent = accounts.grant(1)
    monkeypatch.setenv("CLIENT_SECRET", CLIENT_SECRET)
    monkeypatch.setenv("REFRESH_TOKEN", consent.refresh_token)
    config = deployment.cli.config
    lines = config.read_text().splitlines()
    kept = [line for line in lines if not line.startswith(("login", 'password_env = "RDV_SOL'))]
    oauth = (
        f'[rdv_solidarites.oauth]\nclient_id = "{CLIENT_ID}"\n'
        'client_secret_env = "CLIENT_SECRET"\nrefresh_token_env = "REFRESH_TOKEN"\n'
    )
    config.write_text("\n".join(kept).replace("[[accounts]]", f"{oauth}[[accounts]]"))
    assert deployment.cli("check").code == 0
    accounts.expire_all()
    assert deployment.cli("check").code == 0


def test_an_unknown_profile_is_named_with_the_nearest(deployment):
    """A server trusted with what it cannot do would lose events."""
    config = deployment.cli.config
    config.write_text(config.read_text() + 'profile = "radical"\n')
    with (
        pytest.raises(SettingsError, match=r"accounts\[agenda\]\.profile.*did you mean radicale"),
        opened(load(config)),
    ):
        pass


def test_a_failed_opening_closes_what_was_open(deployment, monkeypatch):
    """The database can be opened by another process at once."""
    monkeypatch.delenv("AGENDA_PASSWORD")
    settings = load(deployment.cli.config)
    with pytest.raises(SettingsError), opened(settings):
        pass
    with sqlite3.connect(settings.gateway.database) as connection:
        assert connection.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)
    connection.close()


def test_enrolling_writes_nothing_on_either_side(deployment):
    """It reads both, and records."""
    with opened(load(deployment.cli.config)) as application:
        linked = enroll(application, Wish(agent=str(MARTINE), account="agenda"))
        assert application.store.agent(MARTINE) == linked
        (entry,) = [row.entry for row in application.store.journal()]
        assert (entry.action, entry.agent_id) == ("enroll", MARTINE)
    assert {key.split()[0] for key in deployment.double.request_counts if "sign_in" not in key} == {"GET"}
