"""What certificates on disk say: of whom they are, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """`subject`: its name (RFC 4514). `not_after`: the last instant at which it is valid, UTC."""

    subject: str
    not_after: datetime


def certificates_in(path: Path) -> Sequence[CertificateFacts]:
    """The certificates of a PEM file, in its order; at least one. Raises `OSError`, and `ValueError` for no PEM."""
    found = x509.load_pem_x509_certificates(path.read_bytes())
    return [CertificateFacts(each.subject.rfc4514_string(), each.not_valid_after_utc) for each in found]


def authorities_in(path: Path) -> Sequence[CertificateFacts]:
    """The authorities of a PEM file, the first to expire first; of several with one name the last to expire.

    A file that holds an authority's old and new certificate is in order. Raises as `certificates_in`.
    """
    last: dict[str, CertificateFacts] = {}
    for each in certificates_in(path):
        known = last.get(each.subject)
        if known is None or known.not_after < each.not_after:
            last[each.subject] = each
    return sorted(last.values(), key=lambda each: each.not_after)
