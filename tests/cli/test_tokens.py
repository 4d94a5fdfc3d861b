"""`tokens create|list|revoke` as typed."""

from __future__ import annotations

import re


def test_a_token_is_shown_once_listed_without_its_secret_and_revoked(deployment):
    cli = deployment.cli
    made = cli("tokens", "create", "--name", "agenda", "--scope", "state:read", "--organisation", "3", "--days", "7")
    text = made.out.strip()
    assert re.fullmatch(r"rdvgw_[0-9a-f]{10}_[A-Za-z0-9_-]{43}", text)
    secret, token_id = text.split("_", 2)[2], text.split("_")[1]
    listed = cli("tokens", "list", "--json")
    assert secret not in made.err + listed.out + cli("tokens", "list").out
    (shown,) = listed.json["tokens"]
    assert (shown["token"], shown["state"], shown["organisations"]) == (token_id, "valid", [3])
    assert cli("tokens", "revoke", token_id, "--json").json["was_revoked"] is False
    assert cli("tokens", "revoke", token_id).code == 0
    assert cli("tokens", "list", "--json").json["tokens"][0]["state"] == "revoked"
    entries = [each for each in cli("journal", "--json").json["entries"] if each["object"] == "api_token"]
    assert [(each["action"], each["reference"]) for each in entries] == [("revoke", token_id), ("create", token_id)]


def test_wishes_that_cannot_be_are_said(deployment):
    cli = deployment.cli
    assert cli("tokens", "revoke", "0123456789").code == 2
    assert cli("tokens", "create", "--name", " ", "--scope", "state:read").code == 2
    assert cli("tokens", "create", "--name", "x", "--scope", "journal:people").code == 2
    assert cli("tokens", "create", "--name", "x", "--scope", "everything").code == 2
