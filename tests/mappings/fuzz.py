"""Files that nobody would write, made of files that somebody wrote: `python -m tests.mappings.fuzz --seconds 600`.

Each goes the way of a file from a server. It may be refused with `BadItem`; anything else, and taking long, is a fault.
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from connectors.errors import BadItem
from tests.mappings.event_files import file_of
from tests.mappings.event_rows import TABLES
from tests.mappings.foreign_files import expanded, foreign_files

LONGEST = 3.0
"""Seconds of CPU that no file may take: a walk of a rule that never matches takes most."""
LARGEST = 6_000
"""Bytes of the files that are changed."""

Change = Callable[[random.Random, list[bytes]], list[bytes]]

_WORDS = (
    *(b"", b"0", b"-1", b"99999999999999999999", b"19700101", b"99991231T235959Z", b"00010101T000000"),
    *(b"P99999999999999D", b"PT-1S", b"FREQ=SECONDLY", b"FREQ=DAILY;COUNT=999999999", b"FREQ=YEARLY;BYSETPOS=-366"),
    *(b"FREQ=MONTHLY;BYDAY=-5SU,5MO;BYMONTHDAY=31", b"FREQ=YEARLY;BYWEEKNO=53;BYYEARDAY=366;INTERVAL=9999"),
    *(b"20261025T023000", b"FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", b"20260301/20260101", b"20260301T000000Z/P1000W"),
    *(b"../../etc/passwd", b"(UTC+99:99) Paris", b"\xff\xfe\x00", "é\u202e\u0000".encode(), b'";:,', b"\\n\\"),
)  # fmt: skip
_LINES = (
    *(b"BEGIN:VEVENT", b"END:VEVENT", b"BEGIN:VTIMEZONE", b"END:VCALENDAR", b"BEGIN:VCALENDAR", b"RRULE:FREQ=DAILY"),
    *(b"RECURRENCE-ID;RANGE=THISANDFUTURE:20260302T090000", b"DTSTART:20260302", b"DTEND;TZID=:20260302T1", b" folded"),
    *(b"EXDATE;VALUE=PERIOD:20260301", b"RDATE:20260302,20260303T000000Z", b"DURATION:PT0S"),
    *(b"TZOFFSETTO:+9999", b"RRULE:FREQ=YEARLY;UNTIL=1", b"ATTENDEE;PARTSTAT=DECLINED;EMAIL=:", b":", b";"),
    *(b"CATEGORIES:\\,,;", b"X-MICROSOFT-CDO-BUSYSTATUS"),
)  # fmt: skip


def _swap(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return lines


def _drop(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    del lines[chance.randrange(len(lines))]
    return lines


def _cut(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    place = chance.randrange(len(lines))
    lines[place] = lines[place][: chance.randrange(len(lines[place]) + 1)]
    return lines


def _repeat(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    place = chance.randrange(len(lines))
    return lines[:place] + [lines[place]] * chance.choice([2, 3, 50]) + lines[place:]


def _insert(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    lines.insert(chance.randrange(len(lines) + 1), chance.choice(_LINES))
    return lines


def _value(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    place = chance.randrange(len(lines))
    lines[place] = lines[place].rpartition(b":")[0] + b":" + chance.choice(_WORDS)
    return lines


def _parameter(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    place = chance.randrange(len(lines))
    name, _, rest = lines[place].partition(b":")
    lines[place] = (
        name + chance.choice([b";TZID=", b";VALUE=", b";RANGE=", b";X="]) + chance.choice(_WORDS) + b":" + rest
    )
    return lines


def _digit(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    digits = [(row, place) for row, line in enumerate(lines) for place, byte in enumerate(line) if 48 <= byte <= 57]
    for row, place in chance.sample(digits, min(len(digits), chance.choice([1, 2, 8]))):
        lines[row] = lines[row][:place] + b"%d" % chance.randrange(10) + lines[row][place + 1 :]
    return lines


def _byte(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    place = chance.randrange(len(lines))
    at = chance.randrange(len(lines[place]) + 1)
    lines[place] = lines[place][:at] + chance.randbytes(chance.choice([1, 4])) + lines[place][at:]
    return lines


def _nest(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    depth = chance.choice([1, 10, 2_000])
    kind = chance.choice([b"VEVENT", b"VCALENDAR", b"VALARM"])
    return [b"BEGIN:" + kind] * depth + lines + [b"END:" + kind] * depth


def _long(chance: random.Random, lines: list[bytes]) -> list[bytes]:
    name = chance.choice([b"DTSTART", b"EXDATE", b"RDATE", b"RRULE", b"SUMMARY", b"UID", b"X-" + b"A" * 1_000])
    filler = chance.choice([b"0", b"20260301T090000Z,", b"BYDAY=MO;", b";", b'"', b"\xc3\xa9"])
    lines.insert(chance.randrange(len(lines) + 1), name + b":" + filler * chance.choice([100, 20_000]))
    return lines


CHANGES: tuple[Change, ...] = (
    *(_swap, _drop, _cut, _repeat, _insert, _byte, _nest, _long),
    *(_value, _value, _value, _parameter, _parameter, _digit, _digit, _digit, _digit),
)


def sources() -> list[bytes]:
    """The files that are changed: other people's, and those of the table of events."""
    foreign = [body for _, body in sorted(foreign_files().items()) if body and len(body) <= LARGEST]
    return foreign + [file_of(row[1]) for table in TABLES for row in table.rows]


def changed(chance: random.Random, bodies: list[bytes]) -> bytes:
    lines = chance.choice(bodies).replace(b"\r\n", b"\n").split(b"\n")
    for _ in range(chance.choice([1, 1, 2, 3, 6])):
        lines = chance.choice(CHANGES)(chance, lines or [b""])
    return chance.choice([b"\r\n", b"\r\n", b"\n"]).join(lines)


@dataclass
class Findings:
    tried: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[bytes, str]] = field(default_factory=list)
    slowest: float = 0.0


def run(seed: int, *, most: int = sys.maxsize, seconds: float = float("inf"), enough: int = 5) -> Findings:
    """Try `most` files, or for as long as `seconds`, until `enough` faults are found."""
    chance, bodies, found = random.Random(seed), sources(), Findings()
    until = time.monotonic() + seconds
    while found.tried < most and time.monotonic() < until and len(found.faults) < enough:
        body = changed(chance, bodies)
        found.tried += 1
        begun = time.process_time()
        try:
            expanded(body)
        except BadItem as refusal:
            found.refused[str(refusal).partition('"')[0]] += 1
        except Exception:  # noqa: BLE001 - what it is looking for
            found.faults.append((body, traceback.format_exc(limit=-3)))
        taken = time.process_time() - begun
        found.slowest = max(found.slowest, taken)
        if taken > LONGEST:
            found.faults.append((body, f"took {taken:.1f} s"))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--keep", type=Path, default=Path("fuzz-faults"), help="folder for the files that are faults")
    arguments = parser.parse_args()
    found = run(arguments.seed, seconds=arguments.seconds)
    for number, (body, fault) in enumerate(found.faults):
        arguments.keep.mkdir(exist_ok=True)
        (arguments.keep / f"{arguments.seed}-{number}.ics").write_bytes(body)
        print(fault)
    for reason, times in found.refused.most_common():
        print(f"{times:8} refused: {reason}")
    print(f"seed {arguments.seed}: {found.tried} files, slowest {found.slowest:.2f} s, {len(found.faults)} faults")
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())
