"""The report in a real browser: whole, offline, searchable."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

SECONDS = 30
SWITCHES = ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1500,950")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Headless Chromium, installed where that can be done."""
    packages = {"chromium": "chromium", "chromedriver": "chromium-driver"}
    missing = [package for program, package in packages.items() if not shutil.which(program)]
    if missing:
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            pytest.skip(f"needs {' and '.join(missing)}; as root on Debian the test installs them")
        subprocess.run(["apt-get", "update", "-q"], check=True)
        subprocess.run(["apt-get", "install", "-y", "-q", *missing], check=True)
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    profile = tmp_path_factory.mktemp("chromium")
    for switch in (*SWITCHES, f"--user-data-dir={profile}"):
        options.add_argument(switch)
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def report(finished_pair):
    """The report of a finished study of two data sets and the transfer between them."""
    result = finished_pair.run("report")
    assert result.returncode == 0, result.stdout + result.stderr
    return finished_pair.folder / "results/report.html"


@pytest.fixture
def page(browser, report):
    browser.get_log("performance")  # empties it
    browser.get(report.as_uri())
    wait(browser, "//*[normalize-space()='Workflow']")
    return browser


def wait(browser, xpath):
    """All elements of an XPath, once there are any."""
    return WebDriverWait(browser, SECONDS).until(lambda b: b.find_elements(By.XPATH, xpath))


def test_nothing_is_fetched(page):
    entries = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    addresses = [
        e["params"]["request"]["url"] for e in entries if e["method"] == "Network.requestWillBeSent"
    ]
    assert any(address.startswith("file:") for address in addresses)
    own = ("file:", "data:", "blob:", "chrome:")  # the last: the browser's own start page
    assert not [address for address in addresses if not address.startswith(own)]


def test_every_result_shows(page):
    """As the eye beside each result does: pictures are drawn, tables have rows."""
    results = page.execute_script("return Object.keys(results)")
    assert len(results) > 20
    for path in results:
        content = "img" if path.endswith(".svg") else "html"
        page.execute_script(
            "app.setView({content: arguments[1], contentPath: results[arguments[0]].data_uri})",
            path,
            content,
        )
        if content == "img":
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
    for texts in labels:
        assert not any("_" in text or "/" in text or text.endswith("svg") for text in texts), texts
    categories = page.execute_script("return Object.keys(categories)")
    assert all(category[0].isdigit() for category in categories), "in reading order"


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
