"""Messages on their way: queued with what they tell, then sent, again if need be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta

import structlog

from connectors.errors import ConnectorError, OurBug
from connectors.ports import Clock
from gateway.alerts.composing import Group, Message
from gateway.alerts.sending import Channel, Letter, Refused
from gateway.alerts.values import News
from gateway.store.alerts import QueuedMessage
from gateway.store.store import Store

_LOG = structlog.get_logger(__name__)
MAIL = "mail"
_AT_ONCE = 50
_FIRST_WAIT, _LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
_GIVEN_UP_AFTER = timedelta(days=3)
_REMEMBERED = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class Outbox:
    """`channels`: by name, `mail` and each webhook's. A message whose channel is configured no more is given up."""

    store: Store
    channels: Mapping[str, Channel]
    clock: Clock
    new_id: Callable[[], str]

    def digest(self, group: Group) -> str:
        """Names a group in clear columns."""
        return self.store.keys.digest(json.dumps(["alerts", *astuple(group)]).encode())

    def letters(
        self, message: Message, group: Group, mails: Sequence[str], hooks: Sequence[str]
    ) -> Iterator[QueuedMessage]:
        """One for each address, if there is a mail server, and for each webhook."""
        now, digest = self.clock.now(), self.digest(group)
        for to in mails if MAIL in self.channels else ():
            content = json.dumps({"to": to, "subject": message.subject, "body": message.body})
            yield QueuedMessage(f"rdvgw-{self.new_id()}", MAIL, digest, now, now, content=content.encode())
        for name in hooks:
            id_ = f"rdvgw-{self.new_id()}"
            payload = payload_of(id_, message, group, now)
            content = json.dumps({"to": "", "subject": message.subject, "body": message.body, "payload": payload})
            yield QueuedMessage(id_, name, digest, now, now, content=content.encode())

    def send(self) -> int:
        """Send what is due; how much was. One channel's trouble ends its turn, and not that of the others."""
        sent, troubled = 0, set[str]()
        for each in self.store.due_messages(self.clock.now(), _AT_ONCE):
            if each.channel in troubled:
                continue
            try:
                sent += self._send(each)
            except ConnectorError as error:
                troubled.add(each.channel)
                _LOG.warning("alerts wait", channel=each.channel, reason=str(error), remedy=error.remedy)
        with self.store.transaction() as tx:
            tx.forget_messages(self.clock.now() - _REMEMBERED)
        return sent

    def _send(self, message: QueuedMessage) -> bool:
        now = self.clock.now()
        with self.store.transaction() as tx:
            if not tx.begin_attempt(message, next_at=now + _wait(message.attempts)):
                return False
        channel = self.channels.get(message.channel)
        if channel is None or now - message.made_at > _GIVEN_UP_AFTER:
            self._give_up(message, "its channel is gone" if channel is None else "it is too old")
            return False
        try:
            channel.send(Letter(message.id, message.made_at, **json.loads(message.content)))
        except Refused as error:
            self._give_up(message, str(error))
            return False
        except ConnectorError:
            raise
        except Exception as error:  # noqa: BLE001 - the text of an unexpected error may hold an address
            raise OurBug(f"unexpected {type(error).__name__}", system="alerts") from None
        with self.store.transaction() as tx:
            tx.message_sent(message.id, at=self.clock.now())
        return True

    def _give_up(self, message: QueuedMessage, why: str) -> None:
        _LOG.warning("an alert is given up", channel=message.channel, message=message.id, reason=why)
        with self.store.transaction() as tx:
            tx.message_given_up(message.id, at=self.clock.now())


def _wait(attempts: int) -> timedelta:
    """Doubling. An attempt of which nothing is noted, since the process was killed, is one too."""
    return min(_FIRST_WAIT * (1 << min(attempts, 10)), _LONGEST_WAIT)


def letter_to(id_: str, made_at: datetime, to: str, message: Message, payload: str = "") -> Letter:
    """A message to one address, or to a webhook."""
    return Letter(id_, made_at, to, message.subject, message.body, payload)


def payload_of(id_: str, message: Message, group: Group, now: datetime) -> str:
    """A message for machines. `text` is what chats show."""
    content = {
        "id": id_,
        "at": now.isoformat(),
        "to": group.audience.value,
        "subject": message.subject,
        "text": f"{message.subject}\n\n{message.body}",
        "alerts": [_news(each) for each in message.news],
    }
    return json.dumps(content, ensure_ascii=False)


def _news(news: News) -> dict[str, object]:
    cause = news.cause
    return {
        "state": news.word.value,
        "kind": cause.kind.value,
        "severity": cause.manner.severity.value,
        "subject": cause.subject,
        "agent": cause.agent_id,
        "organisation": cause.organisation_id,
        "count": cause.count,
        "since": news.since.isoformat(),
    }
