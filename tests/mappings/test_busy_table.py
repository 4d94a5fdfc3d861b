"""Events and the busy blocks that they make, as one table.

Window, unless the row says another: Monday 2 March 2026, 00:00, to Monday 27 April, in Paris (clocks go forward on
29 March, back on 25 October). Blocks read `0302T0900-1000`, over midnight `0302T2200-0303T0600`, all-day `0302` or
`0302-0304`. The agent is in Paris unless the row says otherwise.
"""
# ruff: noqa: E501 - one row, one line

from __future__ import annotations

from datetime import datetime, time
from zoneinfo import ZoneInfo

import pytest

from mappings.blocks import Block, Provenance, block_of
from mappings.recurrence import occurrences
from mappings.times import times_of
from mappings.wallclock import to_instant
from tests.mappings.ical_rows import PARIS, ZONES, event

SPRING = ("2026-03-02", "2026-04-27")
AUTUMN = ("2026-10-19", "2026-11-09")
NINE = "DTSTART;TZ=Paris:20260302T090000 DTEND;TZ=Paris:20260302T100000"  # Monday
LATE = "DTSTART;TZ=Paris:20260302T150000 DTEND;TZ=Paris:20260302T160000"

SINGLE = [
    ("timed", NINE, "0302T0900-1000"),
    ("in UTC, winter", "DTSTART:20260302T080000Z DTEND:20260302T090000Z", "0302T0900-1000"),
    ("in UTC, summer", "DTSTART:20260406T080000Z DTEND:20260406T090000Z", "0406T1000-1100"),
    ("floating", "DTSTART:20260302T090000 DTEND:20260302T100000", "0302T0900-1000"),
    (
        "in another zone",
        "DTSTART;TZ=NewYork:20260309T090000 DTEND;TZ=NewYork:20260309T100000",
        "0309T1400-1500",  # New York is already in summer time
    ),
    (
        "a flight: each end in its own zone",
        "DTSTART;TZ=Reunion:20260310T220000 DTEND;TZ=Paris:20260311T060000",
        "0310T1900-0311T0600",
    ),
    ("over midnight", "DTSTART;TZ=Paris:20260302T220000 DTEND;TZ=Paris:20260303T060000", "0302T2200-0303T0600"),
    ("several days", "DTSTART;TZ=Paris:20260302T140000 DTEND;TZ=Paris:20260305T120000", "0302T1400-0305T1200"),
    ("up to midnight", "DTSTART;TZ=Paris:20260302T220000 DTEND;TZ=Paris:20260303T000000", "0302T2200-0303T0000"),
    ("seconds are rounded outward", "DTSTART:20260302T090030 DTEND:20260302T095930", "0302T0900-1000"),
    ("zero length", "DTSTART;TZ=Paris:20260302T090000 DTEND;TZ=Paris:20260302T090000", ""),
    ("no end", "DTSTART;TZ=Paris:20260302T090000", ""),
    ("all day", "DTSTART:20260302 DTEND:20260303", "0302"),
    ("all day without an end", "DTSTART:20260302", "0302"),
    ("all day that ends on its own day", "DTSTART:20260302 DTEND:20260302", "0302"),
    ("all day over three days", "DTSTART:20260302 DTEND:20260305", "0302-0304"),
    ("all day over the change of clocks", "DTSTART:20260328 DTEND:20260331", "0328-0330"),
    ("begun before the window", "DTSTART:20260220 DTEND:20260304", "0220-0303"),
    ("over the window's end", "DTSTART;TZ=Paris:20260426T230000 DTEND;TZ=Paris:20260427T080000", "0426T2300-0427T0800"),
    ("ended when the window begins", "DTSTART;TZ=Paris:20260301T220000 DTEND;TZ=Paris:20260302T000000", ""),
    ("begins when the window ends", "DTSTART;TZ=Paris:20260427T000000 DTEND;TZ=Paris:20260427T010000", ""),
    ("transparent", NINE + " TRANSP:TRANSPARENT", ""),
    ("all day, transparent", "DTSTART:20260302 TRANSP:TRANSPARENT", ""),
    ("cancelled", NINE + " STATUS:CANCELLED", ""),
    ("declined", NINE + " DECLINED:TRUE", ""),
    ("tentative is busy", NINE + " STATUS:TENTATIVE", "0302T0900-1000"),
    (
        "over the skipped hour",
        "DTSTART;TZ=Paris:20260329T010000 DTEND;TZ=Paris:20260329T040000",
        "0329T0100-0400",
    ),
    (
        "in the skipped hour, read with the offset before it",
        "DTSTART;TZ=Paris:20260329T021500 DTEND;TZ=Paris:20260329T024500",
        "0329T0315-0345",
    ),
]

SERIES = [
    ("daily with COUNT", NINE + " RRULE:FREQ=DAILY;COUNT=3", "0302T0900-1000 0303T0900-1000 0304T0900-1000"),
    ("every second day", NINE + " RRULE:FREQ=DAILY;INTERVAL=2;COUNT=2", "0302T0900-1000 0304T0900-1000"),
    (
        "UNTIL in UTC is inclusive",
        NINE + " RRULE:FREQ=DAILY;UNTIL=20260304T080000Z",
        "0302T0900-1000 0303T0900-1000 0304T0900-1000",
    ),
    ("UNTIL one second short", NINE + " RRULE:FREQ=DAILY;UNTIL=20260303T075959Z", "0302T0900-1000"),
    ("UNTIL as a day holds that day", NINE + " RRULE:FREQ=DAILY;UNTIL=20260303", "0302T0900-1000 0303T0900-1000"),
    ("UNTIL in local time", NINE + " RRULE:FREQ=DAILY;UNTIL=20260303T090000", "0302T0900-1000 0303T0900-1000"),
    (
        "floating, UNTIL with a Z: the later reading",
        "DTSTART:20260302T090000 DTEND:20260302T100000 RRULE:FREQ=DAILY;UNTIL=20260303T080000Z",
        "0302T0900-1000 0303T0900-1000",
    ),
    ("UNTIL before DTSTART: nothing", NINE + " RRULE:FREQ=DAILY;UNTIL=20260301T080000Z", ""),
    ("COUNT=1", NINE + " RRULE:FREQ=WEEKLY;COUNT=1", "0302T0900-1000"),
    ("COUNT of minus one is no limit", NINE + " RRULE:FREQ=MONTHLY;COUNT=-1", "0302T0900-1000 0402T0900-1000"),
    (
        "weekly keeps its hour over the change of clocks",
        "DTSTART;TZ=Paris:20260323T090000 DTEND;TZ=Paris:20260323T100000 RRULE:FREQ=WEEKLY;COUNT=2",
        "0323T0900-1000 0330T0900-1000",
    ),
    (
        "weekly in UTC moves by an hour",
        "DTSTART:20260323T080000Z DTEND:20260323T090000Z RRULE:FREQ=WEEKLY;COUNT=2",
        "0323T0900-1000 0330T1000-1100",
    ),
    (
        "weekly floating keeps its hour",
        "DTSTART:20260323T090000 DTEND:20260323T100000 RRULE:FREQ=WEEKLY;COUNT=2",
        "0323T0900-1000 0330T0900-1000",
    ),
    (
        "weekly in another zone follows that zone's clocks",
        "DTSTART;TZ=NewYork:20260302T090000 DTEND;TZ=NewYork:20260302T100000 RRULE:FREQ=WEEKLY;COUNT=5",
        "0302T1500-1600 0309T1400-1500 0316T1400-1500 0323T1400-1500 0330T1500-1600",
    ),
    (
        "a night shift keeps its hours in the short night",
        "DTSTART;TZ=Paris:20260327T220000 DTEND;TZ=Paris:20260328T060000 RRULE:FREQ=DAILY;COUNT=2",
        "0327T2200-0328T0600 0328T2200-0329T0600",
    ),
    (
        "daily at a time that is skipped once",
        "DTSTART;TZ=Paris:20260328T023000 DTEND;TZ=Paris:20260328T031500 RRULE:FREQ=DAILY;COUNT=3",
        "0328T0230-0315 0329T0330-0415 0330T0230-0315",
    ),
    ("weekly BYDAY", NINE + " RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=3", "0302T0900-1000 0304T0900-1000 0309T0900-1000"),
    (
        "every second week, Sunday first",
        ("DTSTART;TZ=Paris:20260303T090000 DTEND;TZ=Paris:20260303T100000"
        " RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU;COUNT=4"),
        "0303T0900-1000 0315T0900-1000 0317T0900-1000 0329T0900-1000",  # RFC 5545 section 3.8.5.3
    ),
    (
        "every second week, Monday first",
        ("DTSTART;TZ=Paris:20260303T090000 DTEND;TZ=Paris:20260303T100000"
        " RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=MO;COUNT=4"),
        "0303T0900-1000 0308T0900-1000 0317T0900-1000 0322T0900-1000",
    ),
    ("first Tuesday of the month", LATE + " RRULE:FREQ=MONTHLY;BYDAY=1TU", "0302T1500-1600 0303T1500-1600 0407T1500-1600"),
    ("last Friday", "DTSTART:20260130T090000 DTEND:20260130T100000 RRULE:FREQ=MONTHLY;BYDAY=-1FR", "0327T0900-1000 0424T0900-1000"),
    ("the 31st skips short months", "DTSTART:20260131T090000 DTEND:20260131T100000 RRULE:FREQ=MONTHLY", "0331T0900-1000"),
    ("last day of the month", "DTSTART:20260131T090000 DTEND:20260131T100000 RRULE:FREQ=MONTHLY;BYMONTHDAY=-1", "0331T0900-1000"),
    (
        "last working day of the month",
        "DTSTART:20260130T090000 DTEND:20260130T100000 RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "0331T0900-1000",
    ),
    ("29 February", "DTSTART:20240229 RRULE:FREQ=YEARLY", ""),
    ("yearly", "DTSTART:20200310 RRULE:FREQ=YEARLY", "0310"),
    ("yearly in two months", "DTSTART:20200310 RRULE:FREQ=YEARLY;BYMONTH=3,4", "0310 0410"),
    ("yearly by week number: the weekday of DTSTART", "DTSTART:20250304 RRULE:FREQ=YEARLY;BYWEEKNO=11", "0310"),
    (
        "twice a day",
        NINE + " RRULE:FREQ=DAILY;BYHOUR=9,14;COUNT=3",
        "0302T0900-1000 0302T1400-1500 0303T0900-1000",
    ),
    ("all-day series", "DTSTART:20260302 RRULE:FREQ=WEEKLY;COUNT=2", "0302 0309"),
    ("all-day series, three days each", "DTSTART:20260302 DTEND:20260305 RRULE:FREQ=WEEKLY;COUNT=2", "0302-0304 0309-0311"),
    ("all-day series, UNTIL as a day", "DTSTART:20260302 RRULE:FREQ=DAILY;UNTIL=20260303", "0302 0303"),
    ("all-day series, UNTIL at the agent's midnight", "DTSTART:20260302 RRULE:FREQ=DAILY;UNTIL=20260302T230000Z", "0302 0303"),
    ("all-day series, UNTIL at a day's end", "DTSTART:20260302 RRULE:FREQ=DAILY;UNTIL=20260303T235959Z", "0302 0303"),
    ("all-day series ignores times of day", "DTSTART:20260302 RRULE:FREQ=DAILY;COUNT=2;BYHOUR=9,14;BYMINUTE=30", "0302 0303"),
    ("multi-day series reaching into the window", "DTSTART:20260226 DTEND:20260305 RRULE:FREQ=YEARLY", "0226-0304"),
    ("two rules", NINE + " RRULE:FREQ=DAILY;COUNT=2 RRULE:FREQ=WEEKLY;COUNT=2", "0302T0900-1000 0303T0900-1000 0309T0900-1000"),
    ("a rule in lower case with a trailing semicolon", NINE + " RRULE:freq=daily;count=2;", "0302T0900-1000 0303T0900-1000"),
    ("INTERVAL=0 means 1", NINE + " RRULE:FREQ=DAILY;INTERVAL=0;COUNT=2", "0302T0900-1000 0303T0900-1000"),
    ("a series that is transparent", NINE + " RRULE:FREQ=DAILY TRANSP:TRANSPARENT", ""),
    ("a sub-daily series that is free is let be", NINE + " RRULE:FREQ=HOURLY TRANSP:TRANSPARENT", ""),
    ("an impossible rule gives DTSTART only", NINE + " RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "0302T0900-1000"),
    ("a series that is over", "DTSTART:20200302T090000 DTEND:20200302T100000 RRULE:FREQ=DAILY;COUNT=5", ""),
    ("a series yet to begin", "DTSTART:20270302T090000 DTEND:20270302T100000 RRULE:FREQ=DAILY", ""),
]  # fmt: skip

THREE = NINE + " RRULE:FREQ=DAILY;COUNT=3"

EXCEPTIONS = [
    ("EXDATE", THREE + " EXDATE;TZ=Paris:20260303T090000", "0302T0900-1000 0304T0900-1000"),
    ("EXDATE in UTC", THREE + " EXDATE:20260303T080000Z", "0302T0900-1000 0304T0900-1000"),
    ("EXDATE as a day", THREE + " EXDATE:20260303", "0302T0900-1000 0304T0900-1000"),
    ("EXDATE floating", THREE + " EXDATE:20260303T090000", "0302T0900-1000 0304T0900-1000"),
    ("EXDATE of nothing", THREE + " EXDATE;TZ=Paris:20260303T093000", "0302T0900-1000 0303T0900-1000 0304T0900-1000"),
    ("EXDATE of DTSTART", THREE + " EXDATE;TZ=Paris:20260302T090000", "0303T0900-1000 0304T0900-1000"),
    ("EXDATE in an all-day series", "DTSTART:20260302 RRULE:FREQ=DAILY;COUNT=3 EXDATE:20260303", "0302 0304"),
    (
        "EXDATE as midnight in an all-day series",
        "DTSTART:20260302 RRULE:FREQ=DAILY;COUNT=3 EXDATE;TZ=Paris:20260303T000000",
        "0302 0304",
    ),
    (
        "EXDATE as the agent's midnight in UTC in an all-day series",
        "DTSTART:20260302 RRULE:FREQ=DAILY;COUNT=3 EXDATE:20260302T230000Z",
        "0302 0304",
    ),
    ("RDATE", NINE + " RDATE;TZ=Paris:20260305T140000", "0302T0900-1000 0305T1400-1500"),
    ("RDATE as a day", NINE + " RDATE:20260305", "0302T0900-1000 0305T0900-1000"),
    ("RDATE in an all-day event", "DTSTART:20260302 RDATE:20260305,20260310", "0302 0305 0310"),
    ("RDATE as PERIOD", NINE + " RDATE;TZ=Paris:20260305T140000/20260305T180000", "0302T0900-1000 0305T1400-1800"),
    (
        "a PERIOD longer than its master, begun before the window",
        "DTSTART:20260101T090000 DTEND:20260101T100000 RDATE:20260225T090000/20260303T120000",
        "0225T0900-0303T1200",
    ),
    ("RDATE and EXDATE of the same", NINE + " RDATE:20260303T080000Z EXDATE:20260303T080000Z", "0302T0900-1000"),
    (
        "moved",
        THREE + "---RECURRENCE-ID;TZ=Paris:20260303T090000 DTSTART;TZ=Paris:20260303T140000 DTEND;TZ=Paris:20260303T160000",
        "0302T0900-1000 0303T1400-1600 0304T0900-1000",
    ),
    (
        "moved, named in UTC",
        THREE + "---RECURRENCE-ID:20260303T080000Z DTSTART;TZ=Paris:20260303T140000 DTEND;TZ=Paris:20260303T160000",
        "0302T0900-1000 0303T1400-1600 0304T0900-1000",
    ),
    (
        "moved, named by its day",
        THREE + "---RECURRENCE-ID:20260303 DTSTART;TZ=Paris:20260303T140000 DTEND;TZ=Paris:20260303T160000",
        "0302T0900-1000 0303T1400-1600 0304T0900-1000",
    ),
    (
        "moved out of the window",
        THREE + "---RECURRENCE-ID;TZ=Paris:20260303T090000 DTSTART;TZ=Paris:20260603T140000 DTEND;TZ=Paris:20260603T160000",
        "0302T0900-1000 0304T0900-1000",
    ),
    (
        "moved into the window",
        ("DTSTART:20250602T090000 DTEND:20250602T100000 RRULE:FREQ=DAILY;COUNT=3"
        "---RECURRENCE-ID:20250603T090000 DTSTART:20260303T140000 DTEND:20260303T160000"),
        "0303T1400-1600",
    ),
    ("cancelled", THREE + "---RECURRENCE-ID;TZ=Paris:20260303T090000 " + LATE + " STATUS:CANCELLED", "0302T0900-1000 0304T0900-1000"),
    ("made free", THREE + "---RECURRENCE-ID;TZ=Paris:20260303T090000 " + LATE + " TRANSP:TRANSPARENT", "0302T0900-1000 0304T0900-1000"),
    ("declined once", THREE + "---RECURRENCE-ID;TZ=Paris:20260303T090000 " + LATE + " DECLINED:1", "0302T0900-1000 0304T0900-1000"),
    (
        "added: an override that the rule does not give",
        THREE + "---RECURRENCE-ID;TZ=Paris:20260307T110000 DTSTART;TZ=Paris:20260307T110000 DTEND;TZ=Paris:20260307T120000",
        "0302T0900-1000 0303T0900-1000 0304T0900-1000 0307T1100-1200",
    ),
    (
        "one occurrence made all-day",
        THREE + "---RECURRENCE-ID;TZ=Paris:20260303T090000 DTSTART:20260303",
        "0302T0900-1000 0303 0304T0900-1000",
    ),
    (
        "one day of an all-day series made timed",
        ("DTSTART:20260302 RRULE:FREQ=DAILY;COUNT=2---RECURRENCE-ID:20260303 DTSTART;TZ=Paris:20260303T090000"
        " DTEND;TZ=Paris:20260303T100000"),
        "0302 0303T0900-1000",
    ),
    ("only one occurrence is busy", THREE + " TRANSP:TRANSPARENT---RECURRENCE-ID;TZ=Paris:20260303T090000 " + LATE, "0302T1500-1600"),
    ("override without its master", "RECURRENCE-ID;TZ=Paris:20260302T090000 " + LATE, "0302T1500-1600"),
    (
        "two overrides without their master",
        "RECURRENCE-ID;TZ=Paris:20260302T090000 " + LATE + "---RECURRENCE-ID;TZ=Paris:20260303T090000 DTSTART:20260305",
        "0302T1500-1600 0305",
    ),
    ("cancelled override without its master", "RECURRENCE-ID:20260302T080000Z " + LATE + " STATUS:CANCELLED", ""),
    (
        "this and future moved by two hours and made longer",
        NINE + " RRULE:FREQ=DAILY;COUNT=4---RECURRENCE-ID;TZ=Paris;RANGE=THISANDFUTURE:20260304T090000"
        " DTSTART;TZ=Paris:20260304T110000 DTEND;TZ=Paris:20260304T130000",
        "0302T0900-1000 0303T0900-1000 0304T1100-1300 0305T1100-1300",
    ),
    (
        "this and future cancelled",
        NINE + " RRULE:FREQ=DAILY;COUNT=4---RECURRENCE-ID;TZ=Paris;RANGE=THISANDFUTURE:20260304T090000"
        " DTSTART;TZ=Paris:20260304T090000 DTEND;TZ=Paris:20260304T100000 STATUS:CANCELLED",
        "0302T0900-1000 0303T0900-1000",
    ),
    (
        "this and future, then one moved on its own",
        NINE + " RRULE:FREQ=DAILY;COUNT=4---RECURRENCE-ID;TZ=Paris;RANGE=THISANDFUTURE:20260303T090000"
        " DTSTART;TZ=Paris:20260303T110000 DTEND;TZ=Paris:20260303T120000---RECURRENCE-ID;TZ=Paris:20260304T090000"
        " DTSTART;TZ=Paris:20260304T170000 DTEND;TZ=Paris:20260304T180000",
        "0302T0900-1000 0303T1100-1200 0304T1700-1800 0305T1100-1200",
    ),
    (
        "this and future moved back a week, into the window",
        ("DTSTART:20260427T090000 DTEND:20260427T100000 RRULE:FREQ=DAILY;COUNT=3"
        "---RECURRENCE-ID;RANGE=THISANDFUTURE:20260428T090000 DTSTART:20260421T090000 DTEND:20260421T100000"),
        "0421T0900-1000 0422T0900-1000",
    ),
    (
        "this and future of a transparent series made busy",
        NINE + " RRULE:FREQ=DAILY;COUNT=3 TRANSP:TRANSPARENT---RECURRENCE-ID;TZ=Paris;RANGE=THISANDFUTURE:20260303T090000"
        " DTSTART;TZ=Paris:20260303T090000 DTEND;TZ=Paris:20260303T100000",
        "0303T0900-1000 0304T0900-1000",
    ),
    (
        "the override of 10:00 in summer does not touch 08:00, which is 10:00 less the offset",
        ("DTSTART;TZ=Paris:20260406T080000 DTEND;TZ=Paris:20260406T083000 RRULE:FREQ=DAILY;BYHOUR=8,10;COUNT=2"
        "---RECURRENCE-ID;TZ=Paris:20260406T100000 DTSTART;TZ=Paris:20260406T120000 DTEND;TZ=Paris:20260406T123000"),
        "0406T0800-0830 0406T1200-1230",
    ),
    ("a second master under the same UID is busy too", NINE + "---" + LATE, "0302T0900-1000 0302T1500-1600"),
]  # fmt: skip

BACK = [
    (
        "over the repeated hour",
        "DTSTART;TZ=Paris:20261025T010000 DTEND;TZ=Paris:20261025T040000",
        "1025T0100-0400",
    ),
    ("first pass of the repeated hour", "DTSTART:20261025T001500Z DTEND:20261025T004500Z", "1025T0200-0300"),
    ("second pass of the repeated hour", "DTSTART:20261025T011500Z DTEND:20261025T014500Z", "1025T0200-0300"),
    ("over both passes", "DTSTART:20261025T003000Z DTEND:20261025T011000Z", "1025T0200-0300"),
    ("ends when the repeated hour begins", "DTSTART:20261024T233000Z DTEND:20261025T000000Z", "1025T0130-0200"),
    ("begins when it is over", "DTSTART:20261025T020000Z DTEND:20261025T023000Z", "1025T0300-0330"),
    ("begins within it", "DTSTART:20261025T013000Z DTEND:20261025T030000Z", "1025T0200-0400"),
    (
        "a night shift keeps its hours in the long night",
        "DTSTART;TZ=Paris:20261023T220000 DTEND;TZ=Paris:20261024T060000 RRULE:FREQ=DAILY;COUNT=2",
        "1023T2200-1024T0600 1024T2200-1025T0600",
    ),
    (
        "weekly keeps its hour",
        "DTSTART;TZ=Paris:20261019T090000 DTEND;TZ=Paris:20261019T100000 RRULE:FREQ=WEEKLY;COUNT=2",
        "1019T0900-1000 1026T0900-1000",
    ),
    ("all day of 25 hours", "DTSTART:20261025", "1025"),
]

OVERSEAS = [
    ("floating is the agent's", "Reunion", "DTSTART:20260302T090000 DTEND:20260302T100000", "0302T0900-1000"),
    ("all day is the agent's day", "Martinique", "DTSTART:20260302", "0302"),
    ("a time of Paris", "Reunion", NINE, "0302T1200-1300"),
    ("a time of Paris in summer", "Reunion", "DTSTART;TZ=Paris:20260406T090000 DTEND;TZ=Paris:20260406T100000", "0406T1100-1200"),
    (
        "a series of Paris moves for those who do not change clocks",
        "Martinique",
        "DTSTART;TZ=Paris:20260323T090000 DTEND;TZ=Paris:20260323T100000 RRULE:FREQ=WEEKLY;COUNT=2",
        "0323T0400-0500 0330T0300-0400",
    ),
    ("floating series, UNTIL its local time with a Z", "Martinique", "DTSTART:20260302T090000 DTEND:20260302T100000 RRULE:FREQ=DAILY;UNTIL=20260303T090000Z", "0302T0900-1000 0303T0900-1000"),
    ("all-day series, UNTIL at a day's last second", "Martinique", "DTSTART:20260302 RRULE:FREQ=DAILY;UNTIL=20260304T035959Z", "0302 0303"),
    ("all-day series, UNTIL a day written with a Z", "Martinique", "DTSTART:20260302 RRULE:FREQ=DAILY;UNTIL=20260303T000000Z", "0302 0303"),
]  # fmt: skip


def shown(block: Block) -> str:
    start, end = block.start, block.end
    if start.time() == time.min and end.time() == time(23, 59):
        return f"{start:%m%d}" if start.date() == end.date() else f"{start:%m%d}-{end:%m%d}"
    return f"{start:%m%dT%H%M}-{end:%H%M}" if start.date() == end.date() else f"{start:%m%dT%H%M}-{end:%m%dT%H%M}"


def busy(text: str, window: tuple[str, str] = SPRING, zone: ZoneInfo = PARIS) -> str:
    start, end = (to_instant(datetime.fromisoformat(day), zone) for day in window)
    found = occurrences(times_of(event(text)), start, end, zone)
    assert len({each.recurrence_id for each in found}) == len(found) or "---" in text
    blocks = [block_of(each, Provenance("c", "h", "u", each.recurrence_id), zone) for each in found]
    return " ".join(shown(block) for block in sorted(blocks, key=lambda block: (block.start, block.end)))


def named(rows: list[tuple[str, ...]]) -> list[object]:
    return [pytest.param(*row[1:], id=row[0]) for row in rows]


@pytest.mark.parametrize(("text", "expected"), named([*SINGLE, *SERIES]))
def test_event_makes_these_blocks(text: str, expected: str) -> None:
    assert busy(text) == expected


@pytest.mark.parametrize(("text", "expected"), named(EXCEPTIONS))
def test_series_with_exceptions_makes_these_blocks(text: str, expected: str) -> None:
    assert busy(text) == expected


@pytest.mark.parametrize(("text", "expected"), named(BACK))
def test_when_clocks_go_back(text: str, expected: str) -> None:
    assert busy(text, AUTUMN) == expected


@pytest.mark.parametrize(("zone", "text", "expected"), named(OVERSEAS))
def test_agent_overseas(zone: str, text: str, expected: str) -> None:
    assert busy(text, SPRING, ZONES[zone]) == expected
