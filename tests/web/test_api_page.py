"""The documentation of the API as a page, and the accessibility of all pages, in a real browser."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from helpers.browser import needs_chromium, payload
from helpers.service import BOOT, SAMPLES, Service

pytestmark = needs_chromium

AXE = Path(__file__).parents[1] / "assets" / "axe-core" / "axe.min.js"


@pytest.mark.slow
@pytest.mark.parametrize("page", ["en-US", "zh-CN"], indirect=True)
def test_the_api_can_be_tried_in_its_page(page: Page, service: Service) -> None:
    """The form sends the sample or the chosen photo; the request is shown in three languages, with this address."""
    page.goto(f"{service.url}docs")
    expect(page.locator("#answer")).to_contain_text('"label": "Ankle boot"')
    page.fill("#try-top", "2")
    for language, words in (
        ("curl", "curl --data-binary"),
        ("python", "urllib.request"),
        ("javascript", "await fetch"),
    ):
        page.click(f"button[data-language={language}]")
        expect(page.locator("#code")).to_contain_text(words)
        expect(page.locator("#code")).to_contain_text(f"{service.url}predict?top=2")
    page.set_input_files("#try-file", SAMPLES / "bag.png")
    page.click("#try-form button")
    expect(page.locator("#answer")).to_contain_text("HTTP 200")
    assert json.loads(page.locator("#answer").inner_text().partition("\n")[2])["label"] == "Bag"
    expect(page.locator("[data-text]:empty")).to_have_count(0)


def test_the_python_code_of_the_api_page_runs(page: Page, service: Service, tmp_path: Path) -> None:
    """As it is, beside a photo of that name."""
    page.goto(f"{service.url}docs")
    page.click("button[data-language=python]")
    (tmp_path / "boot.png").write_bytes(BOOT)
    code = page.locator("#code").inner_text()
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert result.stdout.startswith("Ankle boot 0.9")


def test_the_api_page_lists_every_operation(page: Page, service: Service) -> None:
    """It is generated from the OpenAPI description, without other hosts; each status has its Chinese text."""
    page.goto(f"{service.url}docs")
    expect(page.locator("#operations section")).to_have_count(5)
    responses = service.ask("GET", "/openapi.json")[1]["paths"]["/predict"]["post"]["responses"]
    texts = page.evaluate("import('/texts.js').then(({ TEXTS }) => Object.keys(TEXTS.zh.statuses))")
    assert set(texts) == responses.keys()


def test_the_sample_answer_is_that_of_the_service(page: Page, service: Service) -> None:
    """With probabilities to four digits; the last of them depends on the processor."""
    page.goto(f"{service.url}docs")
    expect(page.locator("#answer")).to_contain_text("{")
    shown = json.loads(page.locator("#answer").inner_text(), parse_float=lambda number: round(float(number), 3))
    actual = json.dumps(service.ask("POST", "/predict", BOOT)[1])
    assert shown == json.loads(actual, parse_float=lambda number: round(float(number), 3))


@pytest.mark.slow
@pytest.mark.parametrize("page", ["en-US", "zh-CN"], indirect=True)
def test_no_violation_of_accessibility_rules_is_found(page: Page, service: Service) -> None:
    """By axe-core, in light and dark: at the start, with a prediction, a table, a drawing, and in the API page."""
    assert violations(page) == []
    page.set_input_files("#file-input", SAMPLES / "dress.png")
    expect(page.locator("#heatmap")).to_be_visible()
    assert violations(page) == []
    page.set_input_files("#file-input", [payload("dress"), payload("bag"), payload("x", b"x")])
    expect(page.locator("#rows .error")).to_be_visible()
    page.click("#draw-button")
    assert violations(page) == []
    page.goto(f"{service.url}docs")
    expect(page.locator("#operations section").nth(4)).to_be_visible()
    assert violations(page) == []


def violations(page: Page) -> list[str]:
    """The rules of axe-core that the page violates in light or dark colors, with the first element."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    problems = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        result = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        problems += [f"{scheme} {each['id']}: {each['nodes'][0]['html']}" for each in result["violations"]]
    return problems
