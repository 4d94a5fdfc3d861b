"""The configuration: what it accepts, how it refuses, and that its documents are complete."""

import re
import tomllib
from dataclasses import fields
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from connectors.records import RdvSelection, UsagerField
from gateway.rules.book import RuleSubject
from gateway.rules.values import AgentRules
from gateway.settings import Settings, load
from gateway.settings_problems import SettingsError, keys_of
from mappings.busy_rules import BusyRules
from mappings.rdv_event import Cancelled, CopyRules

ANYBODY = RuleSubject(1)
ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "config" / "rdv-gateway.example.toml"
DOCUMENT = ROOT / "docs" / "configuration.md"

SMALLEST = """
[rdv_solidarites]
url = "https://www.rdv-solidarites.fr"
login = "technique@example.fr"
password_env = "RDVS_PASSWORD"
[[accounts]]
name = "zimbra"
url = "https://agenda.example.fr/dav/"
username = "gateway"
password_file = "secret"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rdv-gateway.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(tmp_path: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refused:
        load(written(tmp_path, text))
    return refused.value.problems


def test_the_smallest_file_has_defaults_for_the_rest(tmp_path):
    """Paths are taken from the file's directory, rules and labels are those of the code."""
    settings = load(written(tmp_path, SMALLEST))
    assert settings.gateway.database == tmp_path / "rdv-gateway.sqlite3"
    assert settings.gateway.keys == tmp_path / "rdv-gateway.keys"
    book = settings.rules.to_book()
    assert (book.for_agent(ANYBODY), book.for_calendar(ANYBODY, "zimbra:/a/")) == (AgentRules(), BusyRules())
    assert book.selection == RdvSelection()
    assert settings.rdv_solidarites.time_zone == ZoneInfo("Europe/Paris")


def test_every_choice_reaches_its_value(tmp_path):
    """A file that sets what can be set gives exactly that."""
    more = '[rdv_solidarites.organisation_zones]\n12 = "Indian/Reunion"\n[[accounts]]'
    text = SMALLEST.replace("[[accounts]]", more)
    text += "[rules]\nhorizon_days = 7\nbackfill_from = 2026-03-01\n"
    text += '[rules.copies]\ncancelled = "remove"\nusager_fields = ["last_name"]\n'
    settings = load(written(tmp_path, text))
    book = settings.rules.to_book()
    assert book.for_agent(ANYBODY) == AgentRules(horizon_days=7)
    (section,) = book.sections
    assert section.copies == {"cancelled": Cancelled.REMOVE, "usager_fields": frozenset({UsagerField.LAST_NAME})}
    assert settings.rules.backfill_from == date(2026, 3, 1)
    assert settings.rdv_solidarites.organisation_zones == {12: ZoneInfo("Indian/Reunion")}


FAULTS = {
    "accounts[zimbra].usernme: unknown key; did you mean username?": ("[[accounts]]", "[[accounts]]\nusernme = 'x'"),
    "gatway: unknown key; did you mean gateway?": ("[rdv_sol", "[gatway]\n[rdv_sol"),
    "gateway.horizon_days: unknown key; did you mean rules.horizon_days?": (
        "[rdv_sol",
        "[gateway]\nhorizon_days = 3\n[rdv_sol",
    ),
    "rules.horizon_days: expected greater than or equal to 1, found 0": (
        "[rdv_sol",
        "[rules]\nhorizon_days = 0\n[rdv_sol",
    ),
    "rules.copies.cancelled: expected 'mark' or 'remove'": ("[rdv_sol", "[rules.copies]\ncancelled = 'hide'\n[rdv_sol"),
    "accounts[zimbra]: username is missing, or credentials_file": ('username = "gateway"\n', ""),
    "accounts[zimbra].url: http:// is accepted for this machine only (localhost); expected https://": (
        "https://agenda",
        "http://agenda",
    ),
    "rdv_solidarites.time_zone: expected an IANA time zone such as Europe/Paris; did you mean Europe/Paris?": (
        '"RDVS_PASSWORD"',
        '"RDVS_PASSWORD"\ntime_zone = "Europe/Pari"',
    ),
    "rdv_solidarites: expected exactly one of password_env and password_file": (
        '"RDVS_PASSWORD"',
        '"A"\npassword_file = "b"',
    ),
    "rdv_solidarites: expected either login with its password, or an [rdv_solidarites.oauth] section": (
        'login = "technique@example.fr"',
        "",
    ),
    "accounts[zimbra]: expected exactly one of password_env and password_file": ('password_file = "secret"', ""),
    "network.proxy: expected the address of an HTTP proxy, such as http://proxy.departement.example.fr:3128": (
        "[rdv_sol",
        "[network]\nproxy = 'socks5://proxy:1080'\n[rdv_sol",
    ),
    "network: proxy_username, proxy_password_… and no_proxy go with proxy, which is missing": (
        "[rdv_sol",
        "[network]\nno_proxy = ['example.fr']\n[rdv_sol",
    ),
    "network: expected proxy_username together with proxy_password_env or proxy_password_file": (
        "[rdv_sol",
        "[network]\nproxy = 'http://proxy:3128'\nproxy_username = 'u'\n[rdv_sol",
    ),
    "network.no_proxy[#1]: expected a host, .domain, an address or a range such as 10.0.0.0/8": (
        "[rdv_sol",
        "[network]\nproxy = 'http://proxy:3128'\nno_proxy = ['10.0.0.0/99']\n[rdv_sol",
    ),
    "network.allowed_hosts[#2]: expected a host, host:port or *.domain": (
        "[rdv_sol",
        "[network]\nallowed_hosts = ['a.fr', '*']\n[rdv_sol",
    ),
    "accounts[zimbra]: client_key_… goes with client_certificate_file, which is missing": (
        "[[accounts]]",
        "[[accounts]]\nclient_key_file = 'x'",
    ),
    "accounts[zimbra].url: this address cannot be used: it names no host in a usual form": (
        "https://agenda.example.fr",
        "https://127.1",
    ),
    "accounts[a b].name: expected letters, digits, dots, underscores and hyphens": ('"zimbra"', '"a b"'),
}


@pytest.mark.parametrize("said", FAULTS)
def test_each_fault_is_said_with_its_place_and_what_was_expected(tmp_path, said):
    """The message names the key's path, and what would have been right."""
    assert refusal(tmp_path, SMALLEST.replace(*FAULTS[said])) == (said,)


def test_all_faults_are_said_at_once(tmp_path):
    """Nobody mends a file one error at a time."""
    text = SMALLEST.replace("https://agenda", "ftp://agenda") + "[rules]\nmany_share = 3\nmany_cout = 1\n"
    assert len(refusal(tmp_path, text)) == 3


def test_two_accounts_with_one_name_are_refused(tmp_path):
    """An enrolled agent's calendar is named by its account."""
    doubled = SMALLEST + SMALLEST[SMALLEST.index("[[accounts]]") :]
    assert refusal(tmp_path, doubled) == ("accounts: two accounts share the name zimbra",)


@pytest.mark.parametrize(
    ("text", "start"),
    [("rules = [", "it is not TOML"), (SMALLEST[: SMALLEST.index("[[")], "accounts: this key is missing")],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path, text, start):
    """Broken TOML and a missing section have a sentence of their own."""
    (said,) = refusal(tmp_path, text)
    assert said.startswith(start)


def test_a_missing_file_says_how_to_make_one(tmp_path):
    """The first thing that goes wrong for a newcomer."""
    with pytest.raises(SettingsError, match="rdv-gateway init"):
        load(tmp_path / "none.toml")


class TestSecrets:
    """They stand elsewhere, are read late, and are shown nowhere."""

    def test_a_secret_written_in_the_file_is_refused_and_not_repeated(self, tmp_path):
        """The message says where it belongs instead."""
        text = SMALLEST.replace('password_env = "RDVS_PASSWORD"', 'password = "hunter2"\nurl2 = "https://u:hunter2@x"')
        said = " ".join(refusal(tmp_path, text))
        assert "give password_env or password_file" in said
        assert "hunter2" not in said

    def test_a_proxy_address_with_a_password_is_refused_and_not_repeated(self, tmp_path):
        """The way that variables of the environment carry it."""
        proxy = "[network]\nproxy = 'http://u:hunter2@proxy:3128'\nproxy_password = 'hunter2'\n[rdv_sol"
        said = " ".join(refusal(tmp_path, SMALLEST.replace("[rdv_sol", proxy)))
        assert "give proxy_password_env or proxy_password_file" in said
        assert "hunter2" not in said

    def test_an_address_with_a_password_is_refused_and_not_repeated(self, tmp_path):
        """Addresses are logged; passwords are not."""
        (said,) = refusal(tmp_path, SMALLEST.replace("https://agenda", "https://u:hunter2@agenda"))
        assert "must not carry" in said
        assert "hunter2" not in said

    def test_sources_are_read_when_asked(self, tmp_path, monkeypatch):
        """A variable and a file beside the configuration, without the line end."""
        settings = load(written(tmp_path, SMALLEST))
        (tmp_path / "secret").write_text("from-file\n")
        monkeypatch.setenv("RDVS_PASSWORD", "from-variable")
        assert settings.rdv_solidarites.password.read().get_secret_value() == "from-variable"
        assert settings.accounts[0].password.read().get_secret_value() == "from-file"
        assert "from-" not in repr(settings) + repr(settings.accounts[0].password.read())

    def test_a_missing_secret_names_its_source(self, tmp_path, monkeypatch):
        """Which variable, which file, for which key."""
        monkeypatch.delenv("RDVS_PASSWORD", raising=False)
        settings = load(written(tmp_path, SMALLEST))
        with pytest.raises(SettingsError, match=r"rdv_solidarites\.password: the environment variable RDVS_PASSWORD"):
            settings.rdv_solidarites.password.read()
        with pytest.raises(SettingsError, match=r"accounts\.zimbra\.password: .*secret cannot be read"):
            settings.accounts[0].password.read()


def test_an_unknown_account_is_named_with_the_nearest(tmp_path):
    """`enroll --account zimbr` is a typing error, not a crash."""
    with pytest.raises(SettingsError, match="did you mean zimbra"):
        load(written(tmp_path, SMALLEST)).account("zimbr")


def test_rules_and_labels_cover_the_values_they_make():
    """A choice added to the code is a choice that the file can make."""
    keys = set(keys_of(Settings))
    assert {f"rules.{each.name}" for each in fields(AgentRules)} < keys
    assert {f"rules.blocks.{each.name}" for each in fields(BusyRules)} <= {key.removesuffix(".*") for key in keys}
    assert {f"rules.copies.{each.name}" for each in fields(CopyRules) if each.name != "translate"} <= keys


def documented_keys() -> set[str]:
    """Those of `[[rules.for]]` are explained once, where they hold for everybody."""
    keys = set(keys_of(Settings))
    return {key for key in keys if not (key.startswith("rules.for.") and key.replace(".for.", ".") in keys)}


class TestDocuments:
    """The example and the document name every key, and no other."""

    def test_the_example_is_valid(self):
        """As it stands in the repository."""
        assert load(EXAMPLE).accounts[0].name == "agenda"

    def test_the_example_names_every_key_and_no_other(self):
        """Keys that are commented out count, each under the section above it."""
        named = set()
        section = ""
        for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
            bare = line.removeprefix("# ")
            if header := re.fullmatch(r"\[+([a-z_.]+)\]+", bare):
                section = header[1]
            elif key := re.match(r"([a-z_]+|\d+|\"[^\"]+\") = \S", bare):
                named.add(f"{section}.{key[1] if key[1][0].isalpha() else '*'}")
        assert named == documented_keys()

    def test_values_commented_out_in_the_example_are_the_defaults(self):
        """Taking the comment sign away changes nothing, but for keys that are one of several ways."""
        text = EXAMPLE.read_text(encoding="utf-8")
        keys = (
            "client_id",
            "redirect_uri",
            "home",
            "backfill_from",
            "read_timeout",
            "login",
            "reminder_minutes",
            "keep_entries",
            "base_url",
            "phone",
        )
        mail_and_hooks = ("host ", "port ", "username", "sender", "name ", "url ", "audiences", "events")
        selectors = ("organisation", "service", "motif ", "agent", "calendar ")
        ways = (*keys, *mail_and_hooks, *selectors, "_env", "_file", "proxy", "allowed_", "[", "12 ")
        plain = "\n".join(
            line.removeprefix("# ")
            if re.match(r"# [a-z_]+ = ", line) and not any(way in line.split("=")[0] for way in ways)
            else line
            for line in text.splitlines()
        )
        assert tomllib.loads(plain) != tomllib.loads(text)
        context = {"directory": EXAMPLE.parent}
        assert Settings.model_validate(tomllib.loads(plain), context=context) == load(EXAMPLE)

    def test_the_document_names_every_key_and_no_other(self):
        """Keys stand in the first column of its tables, with their section."""
        named = set()
        for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
            if line.startswith("| `"):
                named |= set(re.findall(r"`([a-z_]+\.[a-z_.*]+)`", line.split("|")[1]))
        assert named == documented_keys()
