"""A storm of webhooks on real sockets: copies, disorder, a day's delay, forgeries between them.

`python -m tests.webhooks.storm --deliveries 10000` prints what came of it; exit code 1 when something is not as it
should be.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.rdv_solidarites.webhooks import WebhookReader, sign
from connectors.records import Absence, Rdv, RdvSelection
from gateway import logs
from gateway.keys import create_key_file, load_keys
from gateway.store.database import upgrade
from gateway.sync.observe_rdv_solidarites import rdv_digest
from tests.connectors.rdv_solidarites.support import absence_record, rdv_record
from tests.webhooks.listener import ORGANISATIONS, SECRET, Listener, body

AGENTS = range(1, 41)
CONNECTIONS = 16
_START = datetime(2026, 3, 2, 8, tzinfo=UTC)
_READER = WebhookReader("https://rdv.example", RdvSelection())


@dataclass(frozen=True, slots=True)
class Post:
    path: str
    content: bytes
    signature: str


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one storm. Rates per second; latencies in milliseconds; memory in MiB of resident growth."""

    deliveries: int
    statuses: dict[str, int]
    rate: float
    bare_rate: float
    median: float
    p99: float
    slowest: float
    applied_after: float  # seconds from the last answer until nothing waited
    memory: float
    passes: int
    wrong: int  # things that are not as the last word said

    @property
    def is_good(self) -> bool:
        return not self.wrong and set(self.statuses) <= {"200", "401"}


class Storm:
    """What is sent, and what is to come of it."""

    def __init__(self, deliveries: int, seed: int) -> None:
        self.chance = random.Random(seed)
        self.expected: dict[tuple[str, int], dict[str, Any] | None] = {}
        early: list[Post] = []
        late: list[Post] = []
        said = _START
        things = max(20, deliveries // 12)
        while len(early) + len(late) < deliveries:
            said += timedelta(seconds=1)
            model = self.chance.choice(["Rdv", "Absence"])
            number = self.chance.randrange(1, things)
            posts = self._change(model, number, said)
            (late if self.chance.random() < 0.1 else early).extend(posts)
        early += self.chance.sample(early, len(early) // 10)  # tried again although they came
        self.chance.shuffle(early)
        self.chance.shuffle(late)
        self.posts = early[: max(0, deliveries - len(late))] + late
        dropped = early[max(0, deliveries - len(late)) :]
        self.posts += dropped  # nothing is lost: every word is said at least once

    def _change(self, model: str, number: int, said: datetime) -> list[Post]:
        gone = self.chance.random() < 0.1
        record = self._record(model, number)
        self.expected[model, number] = None if gone else record
        at = said.strftime("%Y-%m-%d %H:%M:%S +0000")
        content = body(model, record, "destroyed" if gone else "updated", at=at)
        organisations = ORGANISATIONS if model == "Absence" else ORGANISATIONS[:1]
        return [Post(f"/webhooks/rdv-solidarites/{each}", content, sign(SECRET, content)) for each in organisations]

    def _record(self, model: str, number: int) -> dict[str, Any]:
        agent = {"id": self.chance.choice(AGENTS), "first_name": "A", "last_name": "M", "email": None}
        if model == "Rdv":
            minute = f"{self.chance.randrange(60):02}"
            return rdv_record(
                number,
                agents=[agent],
                starts_at=f"2026-03-03 09:{minute}:00 +0100",
                ends_at=f"2026-03-03 10:{minute}:00 +0100",
            )
        agent["id"] = 1 + number % len(AGENTS)  # the agent of an absence never changes
        return absence_record(number, agent=agent, start_time=f"09:{self.chance.randrange(60):02}:00")

    def with_forgeries(self, share: float) -> list[Post]:
        """The posts, and between them some whose signature is wrong."""
        mixed: list[Post] = []
        for post in self.posts:
            mixed.append(post)
            if self.chance.random() < share:
                mixed.append(Post(post.path, post.content, "0" * 64))
        return mixed

    def wrong(self, listener: Listener, key: bytes) -> int:
        """How many things are not as was said last of them."""
        held: dict[tuple[str, int], object] = {
            ("Rdv", each.id): each.digest
            for organisation in {3, *ORGANISATIONS}
            for each in listener.store.observed_rdvs(organisation)
        }
        held |= {("Absence", each.id): (each.start, each.end) for each in listener.store.observed_absences().values()}
        wrong = len(held.keys() - self.expected.keys())
        for (model, number), record in self.expected.items():
            wrong += held.get((model, number)) != (None if record is None else _as_held(model, record, key))
        return wrong


def _as_held(model: str, record: dict[str, Any], key: bytes) -> object:
    delivery = _READER.read(body(model, record))
    content = delivery.content if delivery else None
    if isinstance(content, Rdv):
        return rdv_digest(key, content)
    assert isinstance(content, Absence)
    return content.start, content.end


async def _send(host: str, port: int, posts: Sequence[Post]) -> tuple[Counter[str], list[float], float]:
    """All of them over a few connections that are kept; statuses, latencies, seconds."""
    statuses: Counter[str] = Counter()
    latencies: list[float] = []
    queue = iter(posts)

    async def worker() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        for post in queue:
            head = (
                f"POST {post.path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
                f"X-Lapin-Signature: {post.signature}\r\nContent-Length: {len(post.content)}\r\n\r\n"
            )
            began = time.perf_counter()
            writer.write(head.encode() + post.content)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(answer.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
            latencies.append(time.perf_counter() - began)
            statuses[answer[9:12].decode()] += 1
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))
    return statuses, latencies, time.perf_counter() - began


def play(deliveries: int, directory: Path, *, seed: int = 1) -> Figures:
    """One storm, and a bare answer on the same listener for comparison."""
    create_key_file(directory / "keys.toml")
    keys = load_keys(directory / "keys.toml")
    template = directory / "template.sqlite3"
    upgrade(template)
    storm = Storm(deliveries, seed)
    posts = storm.with_forgeries(0.05)
    place = directory / "storm"
    place.mkdir()
    with Listener(place, template, keys, agents=list(AGENTS), synchronous="FULL") as listener:
        host, port = listener.url.removeprefix("http://").split(":")
        bare = [Post("/bare", each.content, each.signature) for each in posts[: max(200, len(posts) // 5)]]
        _, _, bare_seconds = asyncio.run(_send(host, int(port), bare))
        listener.apply_always()
        before = _resident()
        statuses, latencies, seconds = asyncio.run(_send(host, int(port), posts))
        settling = time.perf_counter()
        listener.settle(600)
        settled = time.perf_counter() - settling
        grown = _resident() - before
        wrong = storm.wrong(listener, keys.digest_key)
        passes = len(listener.applied)
    latencies.sort()
    return Figures(
        deliveries=len(posts),
        statuses=dict(statuses),
        rate=round(len(posts) / seconds, 1),
        bare_rate=round(len(bare) / bare_seconds, 1),
        median=round(1000 * latencies[len(latencies) // 2], 1),
        p99=round(1000 * latencies[len(latencies) * 99 // 100], 1),
        slowest=round(1000 * latencies[-1], 1),
        applied_after=round(settled, 2),
        memory=round(grown, 1),
        passes=passes,
        wrong=wrong,
    )


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deliveries", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    logs.configure("error")
    with tempfile.TemporaryDirectory() as directory:
        figures = play(given.deliveries, Path(directory), seed=given.seed)
    if given.json:
        print(json.dumps(asdict(figures)))
    else:
        for name, value in asdict(figures).items():
            print(f"{name:14} {value}")
    return 0 if figures.is_good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
