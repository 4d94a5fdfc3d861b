"""What calendar servers were seen to do, each as one trait of a proxy in front of a real server.

Every trait names the servers that it was seen on. A trait changes what the client is told, never what is stored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from lxml import etree

from tests.servers.counting_proxy import Ask, Reply, Seen

_DAV = "{DAV:}"
_CTAG = "{http://calendarserver.org/ns/}getctag"
_TOKEN = f"{_DAV}sync-token"
_XML = (("Content-Type", "application/xml; charset=utf-8"),)


def is_report(seen: Seen, name: str) -> bool:
    return seen.method == "REPORT" and name.encode() in seen.body


def edited(reply: Reply, change: Callable[[etree._Element], None]) -> Reply:
    """The multistatus as `change` leaves it; any other reply as it is."""
    if reply.status != 207:
        return reply
    root = etree.fromstring(reply.body)
    change(root)
    return replace(reply, body=etree.tostring(root))


def rows(root: etree._Element) -> list[etree._Element]:
    return list(root.iterfind(f"{_DAV}response"))


def status_of(row: etree._Element) -> str:
    return row.findtext(f"{_DAV}status") or ""


def without(names: Iterable[str]) -> Callable[[etree._Element], None]:
    """Takes these properties out of every row."""
    wanted = set(names)

    def change(root: etree._Element) -> None:
        for element in [each for each in root.iter() if each.tag in wanted]:
            parent = element.getparent()
            if parent is not None and parent is not root:
                parent.remove(element)

    return change


def hrefs_as(change: Callable[[str], str]) -> Callable[[etree._Element], None]:
    def apply(root: etree._Element) -> None:
        for href in root.iterfind(f"{_DAV}response/{_DAV}href"):
            href.text = change(href.text or "")

    return apply


# --- what a server says of change -----------------------------------------------------------------------------------


def no_sync_tokens(seen: Seen, ask: Ask) -> Reply:
    """Zimbra's fragile tokens left aside; older servers: a ctag and nothing else."""
    if is_report(seen, "sync-collection"):
        return Reply(403, _XML, b'<error xmlns="DAV:"><supported-report/></error>')
    return edited(ask(seen), without([_TOKEN]))


def no_marks(seen: Seen, ask: Ask) -> Reply:
    """Neither ctag nor token: each look has to be a listing."""
    if is_report(seen, "sync-collection"):
        return Reply(501)
    return edited(ask(seen), without([_TOKEN, _CTAG]))


def no_ctag(seen: Seen, ask: Ask) -> Reply:
    """Servers that know RFC 6578 only."""
    return edited(ask(seen), without([_CTAG]))


def dead_token_lists_all(seen: Seen, ask: Ask) -> Reply:
    """DAViCal, SOGo, sabre/dav, Open-Xchange: an unknown token gets 207, all that is there, and no removal."""
    reply = ask(seen)
    if not is_report(seen, "sync-collection") or reply.status == 207:
        return reply

    def only_what_is_there(root: etree._Element) -> None:
        for row in rows(root):
            if "404" in status_of(row):
                root.remove(row)

    body = re.sub(rb"(<D:sync-token>).*?(</D:sync-token>)", rb"\1\2", seen.body)
    return edited(ask(replace(seen, body=body)), only_what_is_there)


def dead_token_says_nothing(seen: Seen, ask: Ask) -> Reply:
    """sabre/dav after a calendar was made anew: 207 and not even the new items."""
    reply = dead_token_lists_all(seen, ask)
    first = ask(seen) if is_report(seen, "sync-collection") else reply

    def nothing(root: etree._Element) -> None:
        for row in rows(root):
            root.remove(row)

    return reply if first.status == 207 else edited(reply, nothing)


def dead_token_is_412(seen: Seen, ask: Ask) -> Reply:
    """Xandikos: another status, the same precondition element."""
    reply = ask(seen)
    dead = is_report(seen, "sync-collection") and reply.status in (403, 409)
    return replace(reply, status=412) if dead else reply


@dataclass
class RemovalsReplayed:
    """SOGo: each delta repeats every removal ever, of items that are there again, too."""

    seen_hrefs: set[str] = field(default_factory=set)

    def __call__(self, seen: Seen, ask: Ask) -> Reply:
        if seen.method == "PUT":
            self.seen_hrefs.add(seen.path)
        reply = ask(seen)
        if not is_report(seen, "sync-collection"):
            return reply

        def replay(root: etree._Element) -> None:
            told = {row.findtext(f"{_DAV}href") for row in rows(root)}
            for href in [*sorted(self.seen_hrefs - told), "/never/held.ics"]:
                row = etree.Element(f"{_DAV}response")
                etree.SubElement(row, f"{_DAV}href").text = href
                etree.SubElement(row, f"{_DAV}status").text = "HTTP/1.1 404 Not Found"
                root.insert(0, row)

        return edited(reply, replay)


def empty_deltas(seen: Seen, ask: Ask) -> Reply:
    """Nextcloud after its table of changes was purged: the token moves, and nothing is told."""
    reply = ask(seen)
    if not is_report(seen, "sync-collection"):
        return reply

    def nothing(root: etree._Element) -> None:
        for row in rows(root):
            root.remove(row)

    return edited(reply, nothing)


# --- how a server lists and gives items -----------------------------------------------------------------------------


def multiget_omits_missing(seen: Seen, ask: Ask) -> Reply:
    """DAViCal, sabre/dav: a href that is not there is not spoken of."""
    reply = ask(seen)
    if not is_report(seen, "calendar-multiget"):
        return reply

    def drop(root: etree._Element) -> None:
        for row in rows(root):
            if "404" in status_of(row):
                root.remove(row)

    return edited(reply, drop)


def multiget_leaves_one_out(seen: Seen, ask: Ask) -> Reply:
    """An item is listed, there, and missing from the batch."""
    reply = ask(seen)
    if not is_report(seen, "calendar-multiget"):
        return reply

    def drop(root: etree._Element) -> None:
        for row in rows(root)[:1]:
            root.remove(row)

    return edited(reply, drop)


def multiget_without_body(seen: Seen, ask: Ask) -> Reply:
    """A row that holds an ETag and no data."""
    reply = ask(seen)
    if not is_report(seen, "calendar-multiget"):
        return reply

    def empty(root: etree._Element) -> None:
        for row in rows(root)[:1]:
            for data in list(row.iter("{urn:ietf:params:xml:ns:caldav}calendar-data")):
                data.getparent().remove(data)  # type: ignore[union-attr]

    return edited(reply, empty)


def rows_doubled(seen: Seen, ask: Ask) -> Reply:
    """Zimbra: the same href several times in one answer, one of them in error."""
    reply = ask(seen)
    if seen.method != "REPORT":
        return reply

    def double(root: etree._Element) -> None:
        for row in rows(root):
            if "404" in status_of(row):
                continue
            twin = etree.Element(f"{_DAV}response")
            etree.SubElement(twin, f"{_DAV}href").text = row.findtext(f"{_DAV}href")
            etree.SubElement(twin, f"{_DAV}status").text = "HTTP/1.1 404 Not Found"
            if is_report(seen, "calendar-multiget"):
                root.append(twin)
            root.insert(0, etree.fromstring(etree.tostring(row)))

    return edited(reply, double)


def hrefs_spelt_otherwise(seen: Seen, ask: Ask) -> Reply:
    """sabre/dav, Cyrus, SOGo: what need not be percent-encoded is, and in small letters."""
    return edited(ask(seen), hrefs_as(lambda href: re.sub("[ek@-]", lambda one: f"%{ord(one[0]):02x}", href)))


def hrefs_are_addresses(seen: Seen, ask: Ask) -> Reply:
    """Servers behind a wrong proxy: whole addresses, of a host that nobody outside knows."""
    return edited(ask(seen), hrefs_as(lambda href: f"http://calendar.internal:5232{href}"))


def queries_fail(seen: Seen, ask: Ask) -> Reply:
    """Xandikos with one unreadable item: 500 for every calendar-query; listings and multigets work."""
    return Reply(500) if is_report(seen, "calendar-query") else ask(seen)


def limits_cut_in_silence(seen: Seen, ask: Ask) -> Reply:
    """Xandikos, Nextcloud: what a `limit` cuts off is lost, and the token jumps to now."""
    reply = ask(seen)
    if b"nresults" not in seen.body:
        return reply

    def cut(root: etree._Element) -> None:
        for row in rows(root)[1:]:
            root.remove(row)

    return edited(reply, cut)


def no_data_in_deltas(seen: Seen, ask: Ask) -> Reply:
    """Xandikos, DAViCal: calendar-data is left out of a sync-collection answer."""
    reply = ask(seen)
    names = ["{urn:ietf:params:xml:ns:caldav}calendar-data"]
    return edited(reply, without(names)) if is_report(seen, "sync-collection") else reply


def no_sizes_no_dates(seen: Seen, ask: Ask) -> Reply:
    """A server that says of items nothing but their ETag, and never what time it is."""
    reply = edited(ask(seen), without([f"{_DAV}getlastmodified", f"{_DAV}getcontentlength"]))
    quiet = ("date", "last-modified", "content-length")
    return replace(reply, headers=tuple(each for each in reply.headers if each[0].lower() not in quiet))


def anonymous_sees_nothing(seen: Seen, ask: Ask) -> Reply:
    """Cyrus: who sends no password is shown an account without calendars, and is not asked for one."""
    if "authorization" in seen.headers:
        return ask(seen)
    home = b"<response><href>/dav/</href><propstat><prop><current-user-principal><unauthenticated/>"
    home += b"</current-user-principal></prop><status>HTTP/1.1 200 OK</status></propstat></response>"
    return Reply(207, _XML, b'<multistatus xmlns="DAV:">' + home + b"</multistatus>")


# --- how a server takes writes --------------------------------------------------------------------------------------


def no_etag_after_writing(seen: Seen, ask: Ask) -> Reply:
    """DAViCal, Cyrus, sabre/dav when an event has an organizer."""
    reply = ask(seen)
    if seen.method != "PUT":
        return reply
    return replace(reply, headers=tuple(each for each in reply.headers if each[0].lower() != "etag"))


def weak_etags(seen: Seen, ask: Ask) -> Reply:
    """Web servers in front that compress: ETags become weak, and match no If-Match (RFC 9110 section 13.1.1)."""
    if seen.headers.get("if-match", "").startswith("W/"):
        return Reply(412)

    def weaken(root: etree._Element) -> None:
        for etag in root.iter(f"{_DAV}getetag"):
            etag.text = f"W/{etag.text}" if etag.text else None

    reply = edited(ask(seen), weaken)
    headers = tuple((name, f"W/{value}" if name.lower() == "etag" else value) for name, value in reply.headers)
    return replace(reply, headers=headers)


def conditions_are_ignored(seen: Seen, ask: Ask) -> Reply:
    """SOGo, Zimbra: `If-None-Match: *` overwrites, `If-Match` on DELETE removes whatever is there."""
    ignored = {"PUT": ("if-none-match",), "DELETE": ("if-match",)}.get(seen.method, ())
    return ask(replace(seen, headers={name: value for name, value in seen.headers.items() if name not in ignored}))


def gone_is_412(seen: Seen, ask: Ask) -> Reply:
    """Radicale, Xandikos, DAViCal, Cyrus, sabre/dav: a conditional write to what is gone is 412, as if changed."""
    reply = ask(seen)
    missing = seen.method in ("PUT", "DELETE") and "if-match" in seen.headers and reply.status in (404, 409)
    return Reply(412) if missing else reply


@dataclass(frozen=True)
class RefusesItemsWith:
    """Each server has its own status for an item that it does not take, or no name for it at all."""

    status: int

    def __call__(self, seen: Seen, ask: Ask) -> Reply:
        reply = ask(seen)
        refused = seen.method == "PUT" and reply.status in (400, 409, 412) and b"no-uid-conflict" in reply.body
        return Reply(self.status) if refused else reply


READING = {
    "no sync tokens": lambda: no_sync_tokens,
    "no marks": lambda: no_marks,
    "no ctag": lambda: no_ctag,
    "dead token lists all": lambda: dead_token_lists_all,
    "dead token says nothing": lambda: dead_token_says_nothing,
    "dead token is 412": lambda: dead_token_is_412,
    "removals replayed": RemovalsReplayed,
    "empty deltas": lambda: empty_deltas,
    "multiget omits missing": lambda: multiget_omits_missing,
    "multiget leaves one out": lambda: multiget_leaves_one_out,
    "multiget without body": lambda: multiget_without_body,
    "rows doubled": lambda: rows_doubled,
    "hrefs spelt otherwise": lambda: hrefs_spelt_otherwise,
    "hrefs are addresses": lambda: hrefs_are_addresses,
    "queries fail": lambda: queries_fail,
    "limits cut in silence": lambda: limits_cut_in_silence,
    "no data in deltas": lambda: no_data_in_deltas,
    "no sizes, no dates": lambda: no_sizes_no_dates,
    "anonymous sees nothing": lambda: anonymous_sees_nothing,
}
"""By name, what makes the trait anew."""

WRITING = {
    "no ETag after writing": lambda: no_etag_after_writing,
    "weak ETags": lambda: weak_etags,
    "conditions are ignored": lambda: conditions_are_ignored,
    "gone is 412": lambda: gone_is_412,
    **{f"refuses items with {status}": (lambda status=status: RefusesItemsWith(status)) for status in (400, 404, 500)},
}
