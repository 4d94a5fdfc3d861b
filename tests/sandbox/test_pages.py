"""The pages: French, accessible without script, and forms that act."""

from __future__ import annotations

from html.parser import HTMLParser

import httpx2
import pytest

from gateway.sandbox.agendas import day_in_words
from tests.sandbox.support import MONDAY, World

XSS = "<script>alert(1)</script>"


class Outline(HTMLParser):
    """Start tags with their attributes, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def named(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]


def page(world: World, path: str) -> httpx2.Response:
    answer = world.anonymous().get(path)
    assert answer.status_code == 200
    return answer


def every_page(world: World) -> list[str]:
    rdv = world.rdv()
    absence = world.absence(rrule="FREQ=WEEKLY;INTERVAL=1;BYDAY=MO;")
    world.absence(start_time=MONDAY_AFTERNOON[0], end_time=MONDAY_AFTERNOON[1])
    return ["/", "/agents/2?du=2026-03-04", f"/admin/organisations/1/rdvs/{rdv}", f"/absences/{absence}"]


MONDAY_AFTERNOON = ("14:00", "15:00")


def test_pages_are_french_scriptless_and_labelled(world: World) -> None:
    for path in every_page(world):
        answer = page(world, path)
        outline = Outline(answer.text)
        assert outline.named("html") == [{"lang": "fr"}], path
        assert outline.named("meta")[1]["content"] == "width=device-width, initial-scale=1"
        assert not outline.named("script", "iframe", "img")
        assert len(outline.named("h1")) == 1
        labelled = {label["for"] for label in outline.named("label")}
        assert {field["id"] for field in outline.named("input", "select")} == labelled
        assert len(outline.named("caption")) == len(outline.named("table"))
        assert all("scope" in header for header in outline.named("th"))
        identifiers = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
        assert len(identifiers) == len(set(identifiers))
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "n’est pas le vrai service" in answer.text


def test_the_week_shows_rdvs_and_absences_of_the_agent_only(world: World) -> None:
    world.rdv([2], hour=9)
    cancelled = world.rdv([2], hour=10)
    world.state.rdvs.cancel(cancelled)
    world.rdv([5], hour=11)
    world.absence(2, title="Réunion d'équipe")
    world.absence(2, day=9, title="Plus tard")
    text = page(world, "/agents/2").text
    assert "lundi 2 mars 2026" in text
    assert "09:00 – 09:30" in text
    assert "annulé par l&#39;usager" in text
    assert "Réunion d&#39;équipe" in text
    assert "11:00 –" not in text
    assert "Plus tard" not in text
    assert "Plus tard" in page(world, "/agents/2?du=2026-03-11").text


def test_a_block_of_several_days_shows_in_each_of_its_weeks(world: World) -> None:
    world.absence(2, day=4, end_day=MONDAY.replace(day=10), title="Congés")
    for week in ("2026-03-02", "2026-03-09"):
        assert "Congés" in page(world, f"/agents/2?du={week}").text
    assert "depuis le vendredi 6 mars 2026" in page(world, "/agents/2?du=2026-03-09").text


def test_what_people_type_is_escaped_everywhere(world: World) -> None:
    world.absence(2, title=XSS)
    world.state.directory.rename_motif(1, XSS)
    world.state.directory.rename_organisation(1, XSS)
    rdv = world.rdv()
    for path in ("/", "/agents/2", "/absences/1", f"/admin/organisations/1/rdvs/{rdv}"):
        text = page(world, path).text
        assert XSS not in text
        assert "&lt;script&gt;" in text


def test_an_agent_poses_moves_and_cancels_an_rdv_by_hand(world: World) -> None:
    client = world.anonymous()
    form = {"motif": 1, "usager": 2, "lieu": 1, "jour": "2026-03-04", "heure": "09:30", "duree": 45}
    made = client.post("/agents/2/rdvs", data=form)
    assert made.status_code == 303
    [rdv] = world.state.rdvs_of(2)
    assert made.headers["location"] == f"/admin/organisations/1/rdvs/{rdv['id']}"
    assert (rdv["starts_at"], rdv["duration_in_min"]) == ("2026-03-04 09:30:00 +0100", 45)
    moved = {"jour": "2026-03-05", "heure": "10:00", "duree": 30}
    assert client.post(f"/rdvs/{rdv['id']}/deplacer", data=moved).status_code == 303
    assert client.post(f"/rdvs/{rdv['id']}/etat", data={"etat": "revoked"}).status_code == 303
    [rdv] = world.state.rdvs_of(2)
    assert (rdv["starts_at"], rdv["status"]) == ("2026-03-05 10:00:00 +0100", "revoked")
    assert client.post(f"/rdvs/{rdv['id']}/supprimer").headers["location"] == "/agents/2"
    assert world.state.rdvs_of(2) == []


def test_a_motif_that_is_not_on_site_takes_no_lieu(world: World) -> None:
    form = {"motif": 2, "usager": 2, "lieu": 1, "jour": "2026-03-04", "heure": "09:30", "duree": 45}
    world.anonymous().post("/agents/3/rdvs", data=form)
    assert world.state.rdvs_of(3)[0]["lieu"] is None


def test_an_absence_is_typed_changed_and_deleted_by_hand(world: World) -> None:
    client = world.anonymous()
    form = {"titre": "Réunion", "premier_jour": "2026-03-04", "debut": "14:00", "dernier_jour": "", "fin": "15:00"}
    assert client.post("/agents/2/absences", data=form).headers["location"] == "/agents/2?du=2026-03-04"
    client.post("/absences/1/modifier", data=form | {"fin": "16:30"})
    [absence] = world.state.absences_of(2)
    assert (absence["title"], absence["end_day"], absence["end_time"]) == ("Réunion", "2026-03-04", "16:30:00")
    assert client.post("/absences/1/supprimer").status_code == 303
    assert world.state.absences_of(2) == []


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({"fin": "13:00"}, "la fin doit être après le début"),
        ({"titre": " "}, "l&#39;intitulé doit être rempli"),
        ({"debut": "x"}, "une date, une heure ou un choix"),
        ({"premier_jour": "2017-01-01"}, "le premier jour doit être entre 2018 et dans cinq ans"),
    ],
)
def test_a_refused_form_says_why_on_the_same_page(world: World, form: dict[str, str], reason: str) -> None:
    whole = {"titre": "R", "premier_jour": "2026-03-04", "debut": "14:00", "dernier_jour": "", "fin": "15:00"}
    answer = world.anonymous().post("/agents/2/absences", data=whole | form)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert reason in answer.text
    assert world.state.absences_of(2) == []


@pytest.mark.parametrize("path", ["/agents/99", "/absences/99", "/admin/organisations/1/rdvs/99"])
def test_what_is_gone_has_a_page_that_says_so(world: World, path: str) -> None:
    answer = world.anonymous().get(path)
    assert answer.status_code == 404
    assert "introuvable" in answer.text


def test_acting_on_what_is_gone_is_refused(world: World) -> None:
    assert world.anonymous().post("/absences/99/supprimer").status_code == 404
    assert world.anonymous().post("/agents/99/absences", data={}).status_code == 422


def test_days_are_in_words() -> None:
    assert day_in_words(MONDAY.replace(day=1)) == "dimanche 1er mars 2026"
