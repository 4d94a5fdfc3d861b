"""Whom the service tells."""

from __future__ import annotations

from tests.scenarios.departement import Departement
from tests.scenarios.person import Person
from tests.serve.running import Service, eventually
from tests.servers.smtp import MailServer

IT = "dsi@departement.example"


def test_a_refused_password_is_told_once_by_mail_over_restarts(departement: Departement, agent: Person):
    """Found in one life of the service, mailed in the next, and known to be told in the one after."""
    departement.configures_password(agent, "another")
    with MailServer() as mails:
        service = Service(departement)
        service.configure(
            mail={"host": "127.0.0.1", "port": mails.port, "security": "none", "sender": "passerelle@exemple.fr"},
            alerts={"it": [IT]},
        )
        with service:
            eventually(lambda: service.command("status")[1]["agents"][0]["last_problem"], what="the problem")
        with service:
            eventually(lambda: mails.mails, what="the mail")
        with service:
            eventually(lambda: service.command("alerts")[1], what="what is open")
        told = [text for to, _ in mails.mails for text in mails.texts(to)]
        assert len(told) == 1, told
        assert "another" not in told[0]
