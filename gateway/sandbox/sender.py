"""The thread that posts webhooks."""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
import threading
import time

import httpx2

from gateway.sandbox.webhooks import Outbox

SIGNATURE_HEADER = "X-Lapin-Signature"
_IDLE_WAIT = 5.0
# Answers of one département's receiver that the real server takes as final although they are refusals.
_FINAL_REFUSALS = (
    "Can't update appointment",
    "Appointment already deleted",
    "Appointment id doesn't exist",
    "Can't create appointment",
)


def signature(secret: str, body: bytes) -> str:
    """Lowercase hex HMAC-SHA256 of the raw body, keyed by the endpoint's secret."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Sender:
    """Sends what is due, one delivery at a time, until stopped. What is not sent by then stays for the next start."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="sandbox-webhooks", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._outbox.ready.set()
        self._thread.join()

    def _run(self) -> None:
        # The double stands for a server on the internet: no proxy of this machine applies to it.
        with httpx2.Client(trust_env=False, follow_redirects=False) as client:
            while not self._stopping:
                self._outbox.ready.clear()
                delivery = self._outbox.next_due()
                wait = _IDLE_WAIT if delivery is None else delivery["due_at"] - time.time()
                if delivery is not None and wait <= 0:
                    self._deliver(client, delivery)
                elif not self._stopping:
                    self._outbox.ready.wait(min(wait, _IDLE_WAIT))

    def _deliver(self, client: httpx2.Client, delivery: sqlite3.Row) -> None:
        text = self._outbox.body_of(delivery)
        if text is None:
            self._outbox.settle(delivery["id"], "gone", "")
            return
        body = text.encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            SIGNATURE_HEADER: signature(delivery["secret"], body),
        }
        try:
            answer = client.post(
                delivery["target_url"], content=body, headers=headers, timeout=self._outbox.policy.timeout
            )
        except (httpx2.HTTPError, httpx2.InvalidURL) as failure:
            self._outbox.postpone(delivery, type(failure).__name__)
            return
        # A 200 whose body is a proxy's HTML page counts as success too: that event is lost, silently.
        if answer.is_success or _is_final_refusal(answer):
            self._outbox.settle(delivery["id"], "done", str(answer.status_code))
        else:
            self._outbox.postpone(delivery, str(answer.status_code))


def _is_final_refusal(answer: httpx2.Response) -> bool:
    try:
        content = json.loads(answer.content)
    except ValueError:
        return False
    message = content.get("message", "") if isinstance(content, dict) else ""
    return isinstance(message, str) and message.startswith(_FINAL_REFUSALS)
