"""A browser, shared by the tests of a file."""

import os
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from helpers.browser import collect_problems, open_browser
from helpers.service import Service
from modiste.errors import InputError
from modiste.inference.model import Model
from modiste.web import onnxruntime_web
from modiste.web.static_site import Site, write_site


@pytest.fixture(scope="module")  # while it is open, no other test of this process can use asyncio
def browser() -> Iterator[Browser]:
    """One browser, with a fake camera."""
    with open_browser() as chromium:
        yield chromium


@pytest.fixture(params=["en-US"])
def page(browser: Browser, service: Service, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page in a language; warnings, errors and requests to other hosts fail the test."""
    context = browser.new_context(locale=request.param)
    tab = context.new_page()
    problems = collect_problems(tab, service.url)
    tab.goto(service.url)
    expect(tab.locator("#samples button")).to_have_count(9)
    yield tab
    context.close()
    assert [text for text in problems if not re.search("408|415|422|50[23]", text)] == []


@pytest.fixture(scope="session")
def write(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Model], Site]:
    """Write the site of a model; skipped where the runtime cannot be downloaded, but not in CI."""
    try:
        onnxruntime_web.read_files()
    except InputError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    return lambda model: write_site(model, tmp_path_factory.mktemp("site"))
