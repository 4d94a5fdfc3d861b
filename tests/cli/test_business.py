"""`business` and `business test` as typed."""

from __future__ import annotations

import base64

from tests.api.test_webhooks import application

__all__ = ["application"]  # a fixture


def test_a_webhook_is_listed_and_tried(deployment, application, monkeypatch):
    cli = deployment.cli
    assert "No business webhook" in cli("business").err
    monkeypatch.setenv("HOOK_SECRET", "whsec_" + base64.b64encode(bytes(32)).decode())
    section = f'\n[[business.webhooks]]\nname = "intranet"\nurl = "{application.url}"\nsecret_env = "HOOK_SECRET"\n'
    cli.config.write_text(cli.config.read_text() + section)
    listed = cli("business", "--json")
    assert (listed.code, listed.json["webhooks"][0]["waiting"]) == (0, 0)
    assert cli("business", "test", "intranet", "--json").json == {"webhook": "intranet", "status": 204, "taken": True}
    assert application.kinds() == ["gateway.test"]
    application.status = 302
    assert cli("business", "test", "intranet").code == 3
    assert len(application.asked) == 2
    assert cli("business", "test", "nobody").code == 2
