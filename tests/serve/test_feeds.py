"""The service's feeds, as those who subscribe see them."""

from __future__ import annotations

import httpx2
import icalendar

from tests.scenarios.departement import Departement
from tests.scenarios.person import Person
from tests.serve.running import Service, eventually


def test_an_agent_subscribes_to_their_rdvs(departement: Departement, agent: Person):
    with Service(departement) as service:
        public = f"http://127.0.0.1:{service.ports[0]}"
        web = {
            "public_bind": f"127.0.0.1:{service.ports[0]}",
            "internal_bind": f"127.0.0.1:{service.ports[1]}",
            "base_url": public,
        }
        service.configure(web=web)
        code, made = service.command("feeds", "create", "--for", "agent", "--id", str(agent.id))
        assert code == 0

        def events() -> list[str]:
            found = httpx2.get(made["feed"])
            if found.status_code != 200:
                return []
            return [str(each["SUMMARY"]) for each in icalendar.Calendar.from_ical(found.content).walk("VEVENT")]

        departement.rdv(departement.at(2, 9), agent)
        assert eventually(events, what="the RDV in the feed") == ["Rendez-vous"]
        assert httpx2.get(made["page"]).status_code == 200
        assert service.command("feeds", "revoke", str(made["link"]))[0] == 0
        eventually(lambda: not events(), what="the empty calendar")
    assert made["page"].rpartition("/")[2] not in service.log.read_text()
