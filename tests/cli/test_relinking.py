"""`check` says where a calendar has moved, and `agents relink` follows it."""

from pathlib import Path


def moved(deployment, servers: Path) -> str:
    """Somebody renames the calendar on its server; its new address."""
    (folder,) = servers.rglob(f"collection-root/{deployment.username}/agenda")
    folder.rename(folder.with_name("calendrier"))
    return deployment.calendar.replace("/agenda/", "/calendrier/")


def test_check_proposes_the_new_address_and_relink_follows_it(deployment, tmp_path_factory):
    cli = deployment.live()
    assert cli("agents", "relink", "2", "--to", deployment.calendar).code == 2, "it answers at its place"
    new = moved(deployment, tmp_path_factory.getbasetemp())
    checked = cli("check")
    assert (checked.code, "calendar moved" in checked.err, f"agents relink 2 --to {new}" in checked.err) == (
        3,
        True,
        True,
    )
    wrong = cli("agents", "relink", "2", "--to", "/nowhere/")
    assert (wrong.code, new in wrong.err) == (2, True)
    assert cli("agents", "relink", "2", "--to", new, "--json").json["to"].endswith(new)
    synced = cli("sync", "--json")
    assert synced.json["errors"] == []
    assert cli("check").code != 3
