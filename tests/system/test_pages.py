"""The sandbox's pages in a real Chromium: no accessibility fault, no sideways scroll on a phone, no script needed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from gateway.sandbox.seed import seed_departement
from gateway.sandbox.server import Sandbox

pytestmark = pytest.mark.system
AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    today = datetime.now(UTC).date()
    with Sandbox(seed=partial(seed_departement, today=today)) as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - installed for these tests alone

    program = shutil.which("chromium")
    assert program, "chromium is missing: run this through `make test-system`, which installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield browser
        browser.close()


def agent_page(page, sandbox: Sandbox) -> str:
    page.goto(sandbox.url)
    return page.locator("a[href^='/agents/']").first.get_attribute("href")


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("where", ["index", "agent", "missing"])
def test_a_page_has_no_accessibility_fault_and_fits_its_screen(chromium, sandbox, where: str, width: int) -> None:
    # The pages forbid every script: only the checker itself is let past that.
    page = chromium.new_page(viewport={"width": width, "height": 800}, bypass_csp=True)
    paths = {"index": "/", "missing": "/agents/999999"}
    page.goto(sandbox.url + (paths.get(where) or agent_page(page, sandbox)))
    page.add_script_tag(path=AXE)
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    assert [(fault["id"], [node["target"] for node in fault["nodes"]][:3]) for fault in found["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("html").get_attribute("lang") == "fr"
    page.close()


def test_an_absence_is_typed_and_removed_without_script(chromium, sandbox) -> None:
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 320, "height": 800})
    page = context.new_page()
    page.goto(sandbox.url + agent_page(page, sandbox))
    form = page.locator("form", has=page.locator("[name=premier_jour]"))
    day = datetime.now(UTC).date().isoformat()
    form.locator("[name=titre]").fill("Formation <script>")
    form.locator("[name=premier_jour]").fill(day)
    form.locator("[name=debut]").fill("17:00")
    form.locator("[name=fin]").fill("18:00")
    form.locator("button").click()
    entry = page.get_by_role("link", name="Formation <script>")
    assert entry.is_visible()
    entry.click()
    page.get_by_role("button", name="Supprimer").click()
    assert page.get_by_role("link", name="Formation <script>").count() == 0
    context.close()
