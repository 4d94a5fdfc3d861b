"""What is installed beside us: the package that the CalDAV library asks for would replace urllib3 for everybody."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import caldav.davclient
import pytest
import requests
import requests.adapters
import urllib3
from exchangelib.protocol import BaseProtocol


@pytest.mark.parametrize("name", ["niquests", "urllib3-future", "urllib3_future", "jh2", "qh3"])
def test_neither_the_fork_of_urllib3_nor_what_brings_it_is_installed(name: str) -> None:
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version(name)


def test_urllib3_is_the_real_one() -> None:
    """The fork calls itself 2.N.9xx, and knows asynchronous pools."""
    assert int(urllib3.__version__.split(".")[2]) < 900
    assert urllib3.__version__ == importlib.metadata.version("urllib3")
    assert not hasattr(urllib3, "AsyncPoolManager")
    files = importlib.metadata.files("urllib3") or ()
    assert Path(urllib3.__file__) in {Path(str(file.locate())) for file in files}


def test_sessions_of_the_caldav_package_and_of_exchangelib_run_on_it() -> None:
    with (
        caldav.davclient.DAVClient(url="http://127.0.0.1:9/", username="u", password="p", auth_type="basic") as client,
        BaseProtocol.raw_session("https://exchange.example/") as exchange,
    ):
        for session in (client.session, exchange):
            assert type(session) is requests.Session
            adapter = session.get_adapter("https://exchange.example/ews")
            assert isinstance(adapter, requests.adapters.HTTPAdapter)
            assert type(adapter.poolmanager) is urllib3.PoolManager
