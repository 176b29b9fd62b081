"""The site as `make docs` builds it: whole, offline, searchable, on any ground and screen.

Its tutorials run while it is built.
"""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from browsers import complaints, fetched, forget, open_browser
from once import once
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

ROOT = Path(__file__).parents[2]
SECONDS = 30
TUTORIALS = sorted(path.stem for path in (ROOT / "docs/tutorials").glob("[0-9]_*.py"))
MADE_BY_SPHINX = {"genindex", "search", "py-modindex"}


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the site, built by the first of pytest's processes that asks for it."""

    def build(folder):
        options = ["-W", "--keep-going", "-q", "-d", folder / "doctrees", "docs", folder / "html"]
        result = subprocess.run(
            [sys.executable, "-m", "sphinx", *options], cwd=ROOT, capture_output=True, text=True
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return folder / "html"

    return once(tmp_path_factory, "site", build)


@pytest.fixture(scope="module")
def pages(site):
    """Pages that people read, by name."""
    found = {
        path.relative_to(site).with_suffix("").as_posix(): path for path in site.rglob("*.html")
    }
    return {name: path for name, path in found.items() if not name.startswith("_")}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    driver = open_browser(tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()


class Links(HTMLParser):
    """Targets of links and names that links may have as their target."""

    def __init__(self, path):
        super().__init__()
        self.targets, self.names = [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.names.add(attributes.get("id"))
        self.targets += [attributes[key] for key in ("href", "src") if attributes.get(key)]


def test_every_tutorial_ran_and_is_a_page(pages):
    assert len(TUTORIALS) >= 5
    for name in TUTORIALS:
        text = pages[f"auto_tutorials/{name}"].read_text(encoding="utf-8")
        assert "Total running time of the script" in text
        assert "sphx-glr-single-img" in text, "has a figure"
    shown = [
        name for name in TUTORIALS if "chemiscope" in pages[f"auto_tutorials/{name}"].read_text()
    ]
    assert shown, "structures can be looked at"


def test_links_within_the_site_lead_somewhere(pages, site):
    links = {path: Links(path) for path in pages.values()}
    lost = []
    for path, found in links.items():
        for target in found.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = links[file].names if file in links else {parts.fragment}
            if not file.exists() or (parts.fragment and unquote(parts.fragment) not in known):
                lost.append(f"{path.relative_to(site)}: {target}")
    assert lost == []


def test_pages_are_whole_and_fetch_nothing(pages, browser):
    """Every page, as a phone shows it: nothing wider than the screen but what scrolls by itself."""
    browser.set_window_size(500, 900)
    wide, broken = [], []
    for name, path in pages.items():
        forget(browser)
        browser.get(path.as_uri())
        WebDriverWait(browser, SECONDS).until(
            lambda b: b.execute_script("return document.readyState") == "complete"
        )
        if browser.execute_script(
            "return document.documentElement.scrollWidth > document.documentElement.clientWidth"
        ):
            wide.append(name)
        if browser.execute_script(
            "return [...document.images].some(i => i.loading != 'lazy' && !i.naturalWidth)"
        ):
            broken.append(name)
        assert fetched(browser) == [], name
        assert complaints(browser) == [], name
        if name not in MADE_BY_SPHINX:
            assert len(browser.find_elements(By.TAG_NAME, "h1")) == 1, name
    assert (wide, broken) == ([], [])


def searched(site, browser, words):
    """Return the targets of what the search finds, best first."""
    browser.set_window_size(1500, 950)
    browser.get((site / "search.html").as_uri() + f"?q={words}")
    # Results come one after the other.
    WebDriverWait(browser, SECONDS).until(
        lambda b: "finished" in b.find_element(By.CSS_SELECTOR, "#search-results p").text
    )
    found = browser.find_elements(By.CSS_SELECTOR, "#search-results li a")
    return [link.get_attribute("href") for link in found]


def test_search_finds_a_page(site, browser):
    assert any("howto/splits_and_leakage" in link for link in searched(site, browser, "leakage"))


@pytest.mark.parametrize(
    ("words", "place", "among"),
    [
        ("large.above", "reference/config.html#key-large-above", 1),
        ("datasets.NAME.path", "reference/config.html#key-datasets-name-path", 1),
        ("--energy-key", "reference/cli.html#mekrr-fit-energy-key", 5),
    ],
)
def test_search_leads_to_the_row_of_a_key_or_option(site, browser, pages, words, place, among):
    assert any(link.endswith(place) for link in searched(site, browser, words)[:among])
    name, _, row = place.partition(".html#")
    assert row in Links(pages[name]).names


def test_formulas_are_typeset(site, browser):
    browser.get((site / "explanation/kernels.html").as_uri())
    typeset = WebDriverWait(browser, SECONDS).until(
        lambda b: b.find_elements(By.CSS_SELECTOR, "mjx-container")
    )
    assert len(typeset) > 10
    assert not browser.find_elements(By.CSS_SELECTOR, "mjx-merror")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_its_ground(site, browser, theme):
    browser.get((site / "index.html").as_uri())
    browser.execute_script("document.body.dataset.theme = arguments[0]", theme)
    text, ground = browser.execute_script(
        "const style = getComputedStyle(document.body);"
        "return [style.color, style.backgroundColor]"
        ".map(c => c.match(/\\d+/g).slice(0, 3).reduce((sum, x) => sum + Number(x), 0) / 765)"
    )
    assert (text < 0.3 < 0.8 < ground) if theme == "light" else (ground < 0.2 < 0.7 < text)
