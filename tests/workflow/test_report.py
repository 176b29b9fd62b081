"""The report in a real browser: whole, offline, searchable, whatever the titles are."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from browsers import complaints, fetched, forget, open_browser
from hostile import FORMULA, HOSTILE, HOSTILE_RST, LONG
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

SECONDS = 30
PHONE = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True}
JOINER = "\u2060"  # keeps Snakemake from taking a brace in a label for a wildcard

# Elements of the first page that stick out of it.
OVERFLOWING = """
const right = document.querySelector('.overview').parentElement.clientWidth;
return [...document.querySelectorAll('.overview *')]
    .filter(part => part.getBoundingClientRect().right > right + 1).map(part => part.outerHTML);
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    driver = open_browser(tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()


@pytest.fixture
def page(browser, finished_pair):
    """The report of a finished study of two data sets and the transfer between them."""
    return opened(browser, finished_pair)


@pytest.fixture
def narrow(browser, finished_pair):
    """The same on a phone."""
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    yield opened(browser, finished_pair)
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def opened(browser, project):
    forget(browser)
    browser.get((project.folder / "results/report.html").as_uri())
    wait(browser, "//*[normalize-space()='Workflow']")
    return browser


def wait(browser, xpath):
    """All elements of an XPath, once there are any."""
    return WebDriverWait(browser, SECONDS).until(lambda b: b.find_elements(By.XPATH, xpath))


def test_nothing_is_fetched(page):
    assert fetched(page) == []


def test_every_result_shows(page):
    """As the eye beside each result does: pictures are drawn, tables have rows."""
    results = page.execute_script("return Object.keys(results)")
    assert len(results) > 20
    for path in results:
        content = "img" if path.endswith(".svg") else "html"
        page.execute_script(
            "app.setView({content: arguments[1], contentPath: results[arguments[0]].data_uri,"
            " resultPath: arguments[0]})",
            path,
            content,
        )
        if content == "img":
            assert wait(page, "//div[@class='caption']")[0].text, path
            picture = wait(page, "//div[@class='p-3']/img")[0]
            WebDriverWait(page, SECONDS).until(
                lambda b, p=picture: b.execute_script("return arguments[0].naturalWidth > 100", p)
            )
        else:
            page.switch_to.frame(wait(page, "//iframe")[0])
            assert wait(page, "//table//td"), path
            page.switch_to.default_content()


def test_results_read_as_results(page):
    """Labels name what is to be seen, not files."""
    labels = page.execute_script("return Object.values(results).map(r => Object.values(r.labels))")
    titles = {HOSTILE, HOSTILE_RST, LONG}
    for texts in labels:
        texts = {text.replace(JOINER, "") for text in texts} - titles
        assert not any("_" in text or "/" in text or text.endswith("svg") for text in texts), texts
    categories = page.execute_script("return Object.keys(categories)")
    assert all(category[0].isdigit() for category in categories), "in reading order"


def assert_nothing_ran(browser):
    assert browser.execute_script("return window.pwned === undefined")
    assert complaints(browser) == []


def test_it_opens_on_what_came_out(page):
    """Not on the graph of all rules; the home button leads there from elsewhere."""
    assert wait(page, "//main//h1")[0].text == "How accurate is MEKRR?"
    assert page.title == "MEKRR: report of a study"
    rows = page.find_elements(By.XPATH, "//table[@class='verdicts']//tr[td]")
    assert len(rows) == 2
    assert not page.find_elements(By.XPATH, "//div[@id='rulegraph']")
    wait(page, "//span[normalize-space()='Statistics']")[0].click()
    wait(page, "//*[@id='runtimes']")
    assert not page.find_elements(By.CLASS_NAME, "verdicts")
    wait(page, "//nav//ol//a")[0].click()
    assert wait(page, "//table[@class='verdicts']")
    wait(page, "//span[normalize-space()='Workflow']")[0].click()
    wait(page, "//div[@id='rulegraph']")
    wait(page, "//span[normalize-space()='Overview']")[0].click()
    assert wait(page, "//table[@class='verdicts']")
    assert_nothing_ran(page)


def test_every_result_is_told_of_on_the_first_page(page):
    """A figure for each data set is one card, whose buttons choose."""
    titles = {e.text for e in wait(page, "//figure//h3 | //ul[@class='tables']//button")}
    labels = page.execute_script("return Object.values(results).map(r => Object.values(r.labels))")
    assert {text[0].replace(JOINER, "") for text in labels} == titles
    figure = "//figure[.//h3[normalize-space()='Parity and residuals']]"
    first, second = (b for b in wait(page, f"{figure}//div[@class='choice']/button"))
    assert (first.text.replace(JOINER, ""), second.text) == (HOSTILE, LONG)
    drawn = wait(page, f"{figure}//img")[0].get_attribute("src")
    second.click()
    assert wait(page, f"{figure}//img")[0].get_attribute("src") != drawn
    wait(page, f"{figure}//button[@class='thumbnail']")[0].click()
    assert wait(page, "//main//h1")[0].text == f"Parity and residuals, {LONG}"
    assert_nothing_ran(page)


def test_on_a_phone_the_menu_lies_over_the_page(narrow):
    """And nothing is wider than the screen."""
    wait(narrow, "//table[@class='verdicts']")
    assert narrow.execute_script("return document.documentElement.scrollWidth") <= PHONE["width"]
    assert narrow.execute_script(OVERFLOWING) == []
    menu = "//span[normalize-space()='Statistics']"
    assert not narrow.find_element(By.XPATH, menu).is_displayed()
    wait(narrow, "//div[contains(@class, 'fixed')]/a")[0].click()
    wait(narrow, menu)[0].click()
    wait(narrow, "//*[@id='runtimes']")
    assert not narrow.find_element(By.XPATH, menu).is_displayed()


def test_titles_show_in_the_report_and_run_nothing(page):
    assert not page.find_elements(By.XPATH, "//img[@src='x']")
    described = page.execute_script(
        "const part = document.createElement('div'); part.innerHTML = workflow_desc;"
        "return [part.textContent, part.querySelectorAll('a, img, script').length]"
    )
    assert f"Data sets: {HOSTILE}, {LONG}." in described[0]
    assert described[1] == 0
    wait(page, "//span[contains(normalize-space(), 'Figures')]")[0].click()
    wait(page, "//td")
    cells = {cell.text.replace(JOINER, "") for cell in page.find_elements(By.XPATH, "//td")}
    assert {HOSTILE, LONG, HOSTILE_RST} <= cells
    captions = page.execute_script("return Object.values(results).map(r => r.caption).join()")
    assert "problematic" not in captions
    assert "system-message" not in captions
    assert_nothing_ran(page)


@pytest.fixture
def tables(finished_pair):
    return finished_pair.folder / "results/tables"


def test_titles_show_in_the_tables_and_run_nothing(browser, tables):
    browser.get_log("browser")
    found = ""
    for path in sorted(tables.glob("*.html")):
        browser.get(path.as_uri())
        found += browser.execute_script("return document.body.textContent")
        assert not browser.find_elements(By.XPATH, "//img | //script | //a")
        for table in browser.find_elements(By.XPATH, "//table"):
            widths = browser.execute_script(
                "return [...arguments[0].tBodies[0].rows].map(r => r.cells.length)", table
            )
            assert len(set(widths)) == 1, path
    assert {title for title in (HOSTILE, LONG, HOSTILE_RST, FORMULA) if title in found} == {
        HOSTILE,
        LONG,
        HOSTILE_RST,
        FORMULA,
    }
    assert_nothing_ran(browser)


def test_figures_run_nothing(browser, tables):
    browser.get_log("browser")
    for path in (tables.parent / "figures/mine").glob("*.svg"):
        browser.get(path.as_uri())
        assert browser.execute_script("return document.querySelectorAll('text').length > 3")
        assert not browser.find_elements(By.XPATH, "//*[name()='script' or name()='img']")
        assert_nothing_ran(browser)


def test_titles_leave_tables_of_text_whole(tables):
    for path in sorted(tables.glob("*.md")):
        for block in path.read_text(encoding="utf-8").split("\n\n"):
            rows = [line for line in block.splitlines() if line.startswith("|")]
            assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) <= 1, path
    for path in sorted(tables.glob("*.tex")):
        text = path.read_text(encoding="utf-8")
        assert text.isascii()
        for head in re.findall(r"\\toprule\n(.*)\n", text):
            assert head.endswith(r" \\")
    values = pd.read_csv(tables / "provenance.csv").set_index(["what", "item"])["value"]
    assert values["data set mine", "citation"] == HOSTILE
    assert values["data set large", "citation"] == f"'{FORMULA}"


def test_search_finds_table_2(page):
    page.find_element(By.XPATH, "//span[normalize-space()='Workflow']")
    wait(page, "//span[contains(normalize-space(), 'Tables')]")[0].click()
    field = wait(page, "//input")[0]
    field.send_keys("transfer")
    field.submit() if field.get_attribute("form") else field.send_keys("\n")
    assert wait(page, "//*[starts-with(normalize-space(text()), 'Table 2')]")


def test_workflow_and_run_times_are_there(page):
    wait(page, "//span[normalize-space()='Statistics']")[0].click()
    assert wait(page, "//*[name()='svg' or name()='canvas']")
