"""A calendar server as people are shown it: what its kind is known for, what it says of itself, what it did. Pure."""

from __future__ import annotations

from connectors.caldav.findings import Announced, Caught, Findings
from connectors.caldav.profiles import Basis, ServerProfile
from connectors.records import ServerTrait

_ANNOUNCED = "announced"
_SEEN = "seen"
# How the server's own name for itself begins, where it says one, and which profile that is.
_KINDS = {
    "sabre": "nextcloud",
    "radicale": "radicale",
    "xandikos": "xandikos",
    "sogo": "sogo",
    "davical": "davical",
    "cyrus": "cyrus",
    "zimbra": "zimbra",
    "bluemind": "bluemind",
}


def portrait(profile: ServerProfile, findings: Findings, at_a_time: int) -> tuple[ServerTrait, ...]:
    """All that is known, one trait each, with how it is known."""
    return (*_by_profile(profile), *_by_announcement(profile, findings), *_by_deed(findings, at_a_time))


def _by_profile(profile: ServerProfile) -> list[ServerTrait]:
    basis = profile.basis.value
    version = f" {profile.version}" if profile.version else ""
    return [
        ServerTrait("profile", f"{profile.name}{version}", basis),
        ServerTrait("a creation never overwrites", _yes(profile.create_condition), basis),
        ServerTrait("a removal spares what has changed", _yes(profile.delete_condition), basis),
        ServerTrait("mails attendees by itself", _yes(profile.sends_mail), basis),
        *(ServerTrait("remark", remark, basis) for remark in profile.remarks),
    ]


def _by_announcement(profile: ServerProfile, findings: Findings) -> list[ServerTrait]:
    traits: list[ServerTrait] = []
    if findings.software:
        traits.append(ServerTrait("calls itself", findings.software, _ANNOUNCED))
        kind = next((name for sign, name in _KINDS.items() if sign in findings.software.lower()), None)
        if kind is not None and kind != profile.name:
            traits.append(ServerTrait("looks like", f'profile = "{kind}" is made for it', Basis.ASSUMED.value))
    announced = (ServerTrait(what.value.replace("_", " "), "yes", _ANNOUNCED) for what in sorted(findings.announced))
    return [*traits, *announced]


def _by_deed(findings: Findings, at_a_time: int) -> list[ServerTrait]:
    return [
        ServerTrait("changes are found by", _strategy(findings), _SEEN),
        ServerTrait("requests at the same time", str(at_a_time), _SEEN),
        *(
            ServerTrait(what.value, f"{findings.caught[what]} times", _SEEN)
            for what in Caught
            if what in findings.caught
        ),
    ]


def _strategy(findings: Findings) -> str:
    announced = findings.announced
    if not announced:
        return "not known yet"
    if Announced.SYNC_TOKEN in announced and findings.trusts_tokens:
        return "sync-token"
    if findings.trusts_marks and announced & {Announced.CTAG, Announced.SYNC_TOKEN}:
        return "mark and listing of ETags"
    return "listing of ETags at each run"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
