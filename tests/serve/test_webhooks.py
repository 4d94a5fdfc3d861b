"""The service with webhooks, as a département sees it."""

from __future__ import annotations

import time

from tests.scenarios.departement import Departement
from tests.scenarios.person import Person, Shown, hours
from tests.scenarios.small_departement import ACCOUNT_ID
from tests.serve.running import Service, eventually


def test_an_rdv_is_in_the_calendar_within_two_seconds_of_its_webhook(departement: Departement, agent: Person):
    """Nothing is read for a long time; the commands lay the subscriptions, try them and show them."""
    with Service(departement, fast_seconds=600, usual_seconds=600, quiet_seconds=600, rdvs_seconds=600) as service:
        web = {
            "public_bind": f"127.0.0.1:{service.ports[0]}",
            "internal_bind": f"127.0.0.1:{service.ports[1]}",
            "base_url": f"http://127.0.0.1:{service.ports[0]}",
        }
        service.configure(web=web)
        for territory in (1, 2):
            departement.sandbox.state.directory.make_territorial_admin(ACCOUNT_ID, territory)
        code, laid = service.command("webhooks", "install")
        assert (code, {each["did"] for each in laid["subscriptions"]}) == (0, {"laid"})
        eventually(lambda: service.command("webhooks", "test")[0] == 0, seconds=30, what="the ping")
        time.sleep(1)
        rdv = departement.at(2, 9)
        began = time.monotonic()
        departement.rdv(rdv, agent)
        eventually(lambda: agent.shown() == [Shown("RDV", *hours(rdv, 0.5))], seconds=5, what="the copy")
        took = time.monotonic() - began
        code, shown = service.command("webhooks", "status")
        assert code == 0
        assert sum(each["received"] for each in shown["subscriptions"]) >= 1
        assert shown["waiting"]["count"] == 0
    assert took < 2.5, took
