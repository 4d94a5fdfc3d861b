"""A private authority, as départements have one, and what it signs."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from connectors.network import ClientCertificate


class Authority:
    """An authority that no operating system knows. `ca_file`: its certificate (PEM)."""

    def __init__(self, directory: Path, name: str = "Departement test authority") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._ca = trustme.CA(organization_name=name)
        self._directory = directory
        self.ca_file = directory / "authority.pem"
        self._ca.cert_pem.write_to_path(str(self.ca_file))

    def server(
        self, *names: str, days: int = 30, begins_in: int = 0, clients: Authority | None = None
    ) -> ssl.SSLContext:
        """What a server of these names presents, valid for `days` more (negative: expired so long ago), or only in
        `begins_in` days.

        `clients`: it wants a certificate that this authority signed.
        """
        now = datetime.now(UTC)
        begins = now + timedelta(days=begins_in) if begins_in else now - timedelta(days=1 + max(0, -days))
        leaf = self._ca.issue_cert(*names, not_before=begins, not_after=now + timedelta(days=days))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf.configure_cert(context)
        if clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cafile=clients.ca_file)
        return context

    def client(self, name: str = "gateway", *, days: int = 30, password: str = "") -> ClientCertificate:
        """A client certificate with its chain in one file and its key in another, encrypted if there is a password."""
        leaf = self._ca.issue_cert(common_name=name, not_after=datetime.now(UTC) + timedelta(days=days))
        certificate, key = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        secret = leaf.private_key_pem.bytes()
        if password:
            encryption = BestAvailableEncryption(password.encode())
            private = load_pem_private_key(secret, None)
            secret = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
        key.write_bytes(secret)
        return ClientCertificate(certificate, key, password)
