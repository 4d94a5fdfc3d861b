"""The mapping file: read as people write it, stable on its way out and in."""

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.agents.roster_file import (
    BYTE_ORDER_MARK,
    COLUMNS,
    RosterLine,
    RosterState,
    UnreadableRoster,
    read_roster,
    write_csv,
    write_json,
)

CELLS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=12)
NAMES = CELLS.filter(lambda text: "|" not in text)
PRESENT = NAMES.filter(bool)


@st.composite
def roster_lines(draw):
    account = draw(CELLS)
    return RosterLine(
        agent_id=draw(st.integers(1, 10**9)),
        email=draw(CELLS),
        name=draw(CELLS),
        account=account,
        receives=draw(CELLS) if account else "",
        blocks=tuple(dict.fromkeys(draw(st.lists(PRESENT, max_size=3)))) if account else (),
        zone=draw(st.sampled_from(["", "Europe/Paris", "Indian/Reunion"])),
        organisation=draw(st.none() | st.integers(1, 10**9)),
        service=draw(st.none() | st.integers(1, 10**9)),
        wave=draw(st.none() | st.integers(1, 9999)),
        state=draw(st.sampled_from(RosterState)),
    )


def unplaced(lines):
    return [replace(line, line=0) for line in lines]


@given(st.lists(roster_lines(), max_size=5), st.sampled_from([";", ","]))
def test_what_is_written_as_csv_is_read_back_equal(lines, separator):
    """Also what begins like a formula, holds the separator or quotes."""
    read = read_roster((BYTE_ORDER_MARK + write_csv(lines, separator=separator)).encode())
    assert (unplaced(read.lines), read.faults) == (lines, ())


@given(st.lists(roster_lines(), max_size=5))
def test_what_is_written_as_json_is_read_back_equal(lines):
    read = read_roster(write_json(lines).encode())
    assert (unplaced(read.lines), read.faults) == (lines, ())


@given(st.binary(max_size=200))
def test_whatever_the_bytes_it_is_read_or_refused(data):
    """Never an error of another kind."""
    with suppress(UnreadableRoster):
        read_roster(data)


@pytest.mark.parametrize("separator", [";", ","])
def test_separators_spaces_case_and_a_byte_order_mark_are_taken_as_they_come(separator):
    text = "\ufeff Agent ;WAVE;state\r\n 12 ; 3 ; Live \r\n\r\n;;\r\n".replace(";", separator)
    assert read_roster(text.encode()).lines == (RosterLine(12, wave=3, state=RosterState.LIVE, line=2),)


def test_columns_may_be_few_and_in_any_order():
    (line,) = read_roster(b"email;receives;account;blocks\na@b;Agenda;zimbra;Agenda | Astreintes\n").lines
    assert (line.email, line.account, line.blocks) == ("a@b", "zimbra", ("Agenda", "Astreintes"))


def test_a_cell_that_a_spreadsheet_would_compute_is_disarmed():
    """Names come from whoever typed them."""
    text = write_csv([RosterLine(1, name='=HYPERLINK("x")')])
    assert "'=HYPERLINK" in text


HEADER = ";".join(COLUMNS)
FAULTS = {
    "x;a@b;;z;;;;;;;": "agent is not a whole number",
    ";;;z;;;;;": "neither agent nor email",
    "1;;;;Agenda;;;;": "names a calendar and no account",
    "1;;;z;;;Europe/Pari;;": "did you mean Europe/Paris?",
    "1;;;z;;;;x;;;": "organisation is not a whole number",
    "1;;;z;;;;;-2;;": "service is not a whole number",
    "1;;;z;;;;;;0;": "wave is not a whole number",
    "1;;;z;;;;;;;lve": "did you mean live?",
    "1;;;z;;;;;;;;;;": "cells for 11 columns",
    '1;"x"y;;z;;;;;': "double quotes do not match",
    "1;a\u0007b;;z;;;;;": "a sign that cannot be printed",
}


@pytest.mark.parametrize(("bad", "said"), FAULTS.items())
def test_one_bad_line_is_set_aside_and_named_and_the_rest_is_read(bad, said):
    read = read_roster(f"{HEADER}\n1;;;z;;;;;\n{bad}\n2;;;z;;;;;\n".encode())
    assert [line.agent_id for line in read.lines] == [1, 2]
    (fault,) = read.faults
    assert (fault.line, said in fault.what, bool(fault.remedy)) == (3, True, True)


def test_a_line_in_another_encoding_is_set_aside_alone():
    """As an old spreadsheet saves it."""
    read = read_roster(b"agent;name;account\n1;Zo\xeb;z\n2;Zoe;z\n")
    assert [line.agent_id for line in read.lines] == [2]
    assert [(fault.line, "CSV UTF-8" in fault.remedy) for fault in read.faults] == [(2, True)]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "No column"),
        (b"agent;accont\n1;z\n", "did you mean account?"),
        (b"name;account\nx;z\n", "No column says who"),
        (b"agent;Agent\n1;1\n", "twice"),
        (b'{"agents": [}', "not JSON (line 1)"),
        (b'{"people": []}', "no list of agents"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(data, said):
    with pytest.raises(UnreadableRoster) as refused:
        read_roster(data)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("3", "not an object"),
        ('{"agnt": 1}', "did you mean agent?"),
        ('{"agent": true}', "agent is not a whole"),
        ('{"agent": 1, "account": 3}', "account is not a text"),
        ('{"agent": 1, "account": "z", "blocks": "x"}', "blocks"),
    ],
)
def test_a_bad_json_entry_is_set_aside_by_its_rank(entry, said):
    read = read_roster(f'{{"agents": [{{"agent": 1}}, {entry}, {{"agent": 2}}]}}'.encode())
    assert [line.agent_id for line in read.lines] == [1, 2]
    assert [(fault.line, said in fault.what) for fault in read.faults] == [(2, True)]


def test_a_file_without_the_columns_of_rules_says_that_it_leaves_them():
    """It is from before them, and takes nobody's rules away."""
    (line,) = read_roster(b"agent;account;service\n1;z;\n").lines
    assert line.left_out == {"organisation"}
