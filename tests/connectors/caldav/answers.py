"""Answers of servers of other kinds, for a proxy to give in place of the real one."""

from __future__ import annotations

import re

from tests.connectors.caldav.bench import CalDavBench
from tests.servers.counting_proxy import Alter, CountingProxy, Reply, Seen

XML = (("Content-Type", "text/xml; charset=utf-8"),)


def multistatus(*rows: str) -> Reply:
    body = f'<multistatus xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">{"".join(rows)}</multistatus>'
    return Reply(207, XML, body.encode())


def row(path: str, status: int) -> str:
    return f"<response><href>{path}</href><status>HTTP/1.1 {status} x</status></response>"


def given(path: str, properties: str) -> str:
    propstat = f"<propstat><prop>{properties}</prop><status>HTTP/1.1 200 OK</status></propstat>"
    return f"<response><href>{path}</href>{propstat}</response>"


def own_row(bench: CalDavBench) -> str:
    kind = "<resourcetype><collection/><C:calendar/></resourcetype>"
    return given(bench.calendar, f"{kind}<sync-token>data:,5</sync-token>")


def without_row(href: str) -> Alter:
    """The answer as if the server did not mention this href."""

    def change(reply: Reply) -> Reply:
        body = re.sub(rb"<response><href>" + re.escape(href.encode()) + rb"</href>.*?</response>", b"", reply.body)
        return Reply(reply.status, reply.headers, body)

    return Alter(change)


def plain(proxy: CountingProxy) -> None:
    """Keep answers uncompressed, so that they can be altered."""
    ask = proxy.ask_upstream

    def without_compression(seen: Seen) -> Reply:
        kept = {name: value for name, value in seen.headers.items() if name != "accept-encoding"}
        return ask(Seen(seen.method, seen.path, seen.depth, kept, seen.body))

    proxy.ask_upstream = without_compression  # type: ignore[method-assign]


def ignoring_conditions(proxy: CountingProxy) -> None:
    """Make the server behind the proxy pass over every precondition."""
    ask = proxy.ask_upstream

    def unconditionally(seen: Seen) -> Reply:
        kept = {name: value for name, value in seen.headers.items() if name not in ("if-match", "if-none-match")}
        return ask(Seen(seen.method, seen.path, seen.depth, kept, seen.body))

    proxy.ask_upstream = unconditionally  # type: ignore[method-assign]
