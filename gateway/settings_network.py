"""`[network]` of the configuration, and what of it an account may have for itself."""

from __future__ import annotations

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from connectors.hosts import HostPattern, exact_pattern, proxy_exception
from gateway.settings_parts import FilePath, Seconds, SecretSource, Section, at_most_one_source


def _proxy_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.username or parts.password:
        raise ValueError("a proxy's address must not carry a user name or password; they have their own keys")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("expected the address of an HTTP proxy, such as http://proxy.departement.example.fr:3128")
    return value.rstrip("/")


def _host(value: object) -> object:
    try:
        return exact_pattern(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("expected a host, host:port or *.domain") from None


def _exception(value: object) -> object:
    try:
        return proxy_exception(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("expected a host, .domain, an address or a range such as 10.0.0.0/8") from None


ProxyUrl = Annotated[str, AfterValidator(_proxy_url)]
AllowedHost = Annotated[HostPattern, BeforeValidator(_host)]
ProxyException = Annotated[HostPattern, BeforeValidator(_exception)]


class ClientCertificateKeys(Section):
    """The keys of a client certificate, in `[network]` for all servers and in an account for its own."""

    client_certificate_file: FilePath | None = None
    client_key_file: FilePath | None = None
    client_key_password_env: str | None = None
    client_key_password_file: FilePath | None = None

    @model_validator(mode="after")
    def _with_certificate(self) -> Self:
        rest = (self.client_key_file, self.client_key_password_env, self.client_key_password_file)
        if self.client_certificate_file is None and any(each is not None for each in rest):
            raise ValueError("client_key_… goes with client_certificate_file, which is missing")
        at_most_one_source("client_key_password", self.client_key_password_env, self.client_key_password_file)
        return self

    def client_key_password(self, section: str) -> SecretSource | None:
        """The password of the key, if it has one. `section`: where the keys stand, for messages."""
        env, file = self.client_key_password_env, self.client_key_password_file
        if env is None and file is None:
            return None
        return SecretSource(key=f"{section}.client_key_password", env=env, file=file)


class NetworkSection(ClientCertificateKeys):
    """The way to every server: `connectors.network.Network`."""

    proxy: ProxyUrl | None = None
    proxy_username: str | None = Field(default=None, min_length=1)
    proxy_password_env: str | None = None
    proxy_password_file: FilePath | None = None
    no_proxy: tuple[ProxyException, ...] = ()
    ca_file: FilePath | None = None
    connect_timeout: Seconds = 10.0
    read_timeout: Seconds = 30.0
    allowed_hosts: tuple[AllowedHost, ...] = ()

    @model_validator(mode="after")
    def _proxy_keys(self) -> Self:
        rest = (self.proxy_username, self.proxy_password_env, self.proxy_password_file, self.no_proxy or None)
        if self.proxy is None and any(each is not None for each in rest):
            raise ValueError("proxy_username, proxy_password_… and no_proxy go with proxy, which is missing")
        at_most_one_source("proxy_password", self.proxy_password_env, self.proxy_password_file)
        if (self.proxy_username is None) != (self.proxy_password_env is None and self.proxy_password_file is None):
            raise ValueError("expected proxy_username together with proxy_password_env or proxy_password_file")
        return self

    @property
    def proxy_password(self) -> SecretSource:
        """The password at the proxy; asked for only with `proxy_username`."""
        return SecretSource(key="network.proxy_password", env=self.proxy_password_env, file=self.proxy_password_file)
