"""`support bundle`: what is in it, and, searched as bytes in many encodings, what is not."""

import base64
import json
import zipfile
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx2
import pytest

from gateway.sandbox.seed import ACCOUNT, PASSWORD
from gateway.support.pseudonyms import Pseudonyms
from gateway.support.words import Vocabulary, vocabulary
from tests.cli.conftest import CALENDAR_PASSWORD, MARTINE

TITLE, PLACE, NOTES, GUEST = "Psychiatre-Zyx", "Impasse-Qwv", "Notes-Jkl", "invite-mnb"
LABEL, NEUTRAL, PATTERN = "Etiquette-Vbn", "Neutre-Tgb", "Motif-Yhn"
REASON = "Panne-Edc chez Durand-Rfv"
LOGGED = "https://agenda-secret-xyz.example/dav/martine?token=jeton-abcdef"
TOKEN = "jeton-abcdef"
CANARIES = (TITLE, PLACE, NOTES, GUEST, LABEL, NEUTRAL, PATTERN, "Panne-Edc", "Durand-Rfv", TOKEN, "agenda-secret-xyz")


def put_private_event(deployment, name, day):
    start = (datetime.now(UTC) + timedelta(days=day)).strftime("%Y%m%d")
    body = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//x\r\nBEGIN:VEVENT\r\n"
        f"UID:{name}@{GUEST}.example\r\nDTSTAMP:20260301T080000Z\r\nDTSTART:{start}T090000Z\r\n"
        f"DTEND:{start}T093000Z\r\nSUMMARY:{TITLE}\r\nLOCATION:{PLACE}\r\nDESCRIPTION:{NOTES}\r\n"
        f"ATTENDEE;CN={GUEST}:mailto:{GUEST}@ailleurs.example\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    answer = httpx2.put(
        f"{deployment.calendars_url}{deployment.calendar.lstrip('/')}{TITLE}-{name}.ics",
        content=body.encode(),
        auth=(deployment.username, CALENDAR_PASSWORD),
        headers={"Content-Type": "text/calendar; charset=utf-8"},
    )
    assert answer.status_code == 201


@pytest.fixture
def eventful(deployment):
    """Runs, holds, a problem, a stop with its reason, and rules that quote texts of the département."""
    cli = deployment.cli
    rules = (
        f'\n[rules.blocks]\nnever_titles = ["{PATTERN}*"]\nlabels = {{ "{LABEL}" = "{LABEL}" }}\n'
        f'[rules.copies]\nneutral_title = "{NEUTRAL}"\n'
    )
    cli.config.write_text(cli.config.read_text() + rules)
    deployment.live()
    put_private_event(deployment, "a", 3)
    cli("sync")
    deployment.double.faults.add("status", method="POST", path="/api/v1/absences", status=422)
    put_private_event(deployment, "b", 4)
    cli("sync")
    deployment.double.faults.clear()
    cli("stop", "--reason", REASON)
    yield deployment
    cli("resume", "--writes")


def unpack(file):
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def forms(text):
    """How a text may lie in a file."""
    for each in (text, text.lower(), text.upper()):
        yield each.encode()
        yield each.encode("utf-16-le")
        yield each.encode("utf-16-be")
        yield each.encode("latin-1", errors="replace")
        yield json.dumps(each).strip('"').encode()
        yield quote(each).encode()
        yield each.encode().hex().encode()
        yield base64.b64encode(each.encode()).rstrip(b"=")[:-1]
        yield each.encode("unicode_escape")


def persons(deployment):
    """Names, e-mails and telephone numbers of everybody in the double: agents and usagers."""
    contents = json.dumps(deployment.double.state.contents(), default=str)
    document = json.loads(contents)
    found = set()

    def walk(value):
        if isinstance(value, dict):
            for key, each in value.items():
                if key in ("first_name", "last_name", "email", "phone_number", "address") and isinstance(each, str):
                    found.add(each)
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    walk(document)
    return {each for each in found if len(each) > 3}


def test_a_bundle_holds_what_a_maintainer_needs(eventful, tmp_path):
    file, log = tmp_path / "bundle.zip", tmp_path / "gateway.log"
    log.write_text('{"event": "run finished", "level": "info", "agents": 3, "timestamp": "2026-03-02T08:00:00Z"}\n')
    answer = eventful.cli("support", "bundle", "--to", str(file), "--log", str(log), "--json")
    assert answer.code == 0, answer.err
    assert answer.json["failed"] == []
    assert file.stat().st_mode & 0o777 == 0o600
    documents = {name: json.loads(text) for name, text in unpack(file).items() if name.endswith(".json")}
    assert documents["about.json"]["gateway"]
    assert documents["about.json"]["libraries"]["sqlalchemy"]
    database = documents["database.json"]
    assert (database["kind"], database["faults"]) == ("sqlite", 0)
    assert database["revision"] == database["expected_revision"]
    assert database["rows"]["journal"] == documents["journal.json"]["entries"] > 0
    (agent,) = documents["agents.json"]
    assert (agent["state"], agent["complete_seconds_ago"] >= 0) == ("live", True)
    assert agent["agreed"]["blocks"] > 0
    assert "busy block" in agent["last_problem"]["reason"]
    assert "422" in agent["last_problem"]["reason"]
    assert documents["runs.json"][0]["requests"]["rdv_solidarites"] > 0
    assert documents["waiting.json"]["stopped_at"]
    assert documents["performance.json"]["seconds"]["median"] >= 0
    (server,) = documents["servers.json"]
    assert {each["name"] for each in server["traits"]} >= {"profile"}
    assert all(abs(offset) < 30 for offset in documents["clocks.json"].values() if offset is not None)
    assert documents["clocks.json"]["rdv_solidarites"] is not None
    assert documents["log.json"] == [
        {"at": "2026-03-02T08:00:00+00:00", "level": "info", "event": "run finished", "kind": "…", "agents": 3}
    ]
    rules = documents["configuration.json"]["rules"]["everybody"]
    assert rules["copies"]["neutral_title"] == {"set": True}
    assert rules["blocks"]["never_titles"] == {"count": 1}


def test_no_title_name_address_login_or_secret_is_in_a_bundle(eventful, tmp_path):
    """Searched in the unpacked documents, and in the file."""
    file, log = tmp_path / "bundle.zip", tmp_path / "gateway.log"
    log.write_text(
        json.dumps({"event": f"reading {LOGGED} failed", "level": TITLE, "kind": GUEST, "agents": NOTES}) + "\n"
        f"2026-03-02 error {TITLE} {LOGGED} password={PASSWORD} Bearer {TOKEN}\n"
        f'{{"event": {{"{TITLE}": "{NOTES}"}}, "timestamp": "{PLACE}"}}\n'
    )
    assert eventful.cli("support", "bundle", "--to", str(file), "--log", str(log)).code == 0
    hosts = [eventful.calendars_url, eventful.double.url]
    secrets = [ACCOUNT, PASSWORD, CALENDAR_PASSWORD, eventful.username, eventful.calendar, *hosts, "127.0.0.1"]
    searched = {*CANARIES, *secrets, *persons(eventful)}
    assert len(searched) > 40
    content = {**unpack(file), "the file": file.read_bytes()}
    found = {
        (name, text) for name, held in content.items() for text in searched for form in forms(text) if form in held
    }
    assert not found


def test_agents_bear_other_names_which_only_this_machine_can_tell(eventful, tmp_path):
    first, second = tmp_path / "1.zip", tmp_path / "2.zip"
    for file in (first, second):
        eventful.cli("support", "bundle", "--to", str(file), "--offline")
    names = [json.loads(unpack(file)["agents.json"])[0]["agent"] for file in (first, second)]
    assert names[0] != names[1]
    assert eventful.cli("support", "who", str(first), names[0], "--json").json == {"names": {names[0]: MARTINE}}
    unknown = eventful.cli("support", "who", str(first), names[1])
    assert (unknown.code, "nobody known here" in unknown.out) == (1, True)


def test_a_bundle_is_made_when_the_database_is_gone_and_overwrites_nothing(eventful, tmp_path):
    (eventful.cli.config.parent / "rdv-gateway.sqlite3").write_bytes(b"broken")
    file = tmp_path / "bundle.zip"
    answer = eventful.cli("support", "bundle", "--to", str(file), "--json")
    assert answer.code == 0, answer.err
    assert "database" in answer.json["failed"]
    assert json.loads(unpack(file)["about.json"])["python"]
    assert eventful.cli("support", "bundle", "--to", str(file)).code == 2
    for problem in (
        ("--to", str(tmp_path / "no" / "x.zip")),
        ("--to", str(tmp_path / "y.zip"), "--log", "nowhere.log"),
    ):
        assert eventful.cli("support", "bundle", *problem).code == 2
    assert eventful.cli("support", "who", str(eventful.cli.config), "agent-1").code == 2


def test_offline_asks_no_server(eventful, tmp_path):
    eventful.double.requests.reset()
    answer = eventful.cli("support", "bundle", "--to", str(tmp_path / "b.zip"), "--offline", "--json")
    assert not {"servers", "clocks"} & set(answer.json["documents"])
    assert eventful.double.requests.entries == []


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("calendar /dav/martine/ of agent 12 is not visible", "calendar … of agent 12 is not visible"),
        ("jean.dupont@dept.example failed: 503", "… failed: 503"),
        ("Martine DUPONT 06.12.34.56.78 12345", "…"),
        ("version 3.1.2 at 10.0.0.1", "version 3.1.2 at …"),
        ("", ""),
    ],
)
def test_only_the_programs_own_words_pass(text, kept):
    words = Vocabulary(frozenset(["calendar", "of", "agent", "is", "not", "visible", "failed", "version", "at"]))
    assert words.only(text) == kept


def test_the_programs_words_hold_no_sample_person():
    """Of the demo and the sandbox, whose people stand in the source too."""
    words = vocabulary().words
    assert {"absence", "calendar", "event_occupies_time"} <= words
    assert not {"martine", "validay", "dupont"} & words


def test_names_differ_by_kind_and_salt():
    names = Pseudonyms(b"k", b"s")
    assert names.of("agent", 1) == names.of("agent", 1)
    assert len({names.of("agent", 1), names.of("host", 1), Pseudonyms(b"k", b"t").of("agent", 1)}) == 3
