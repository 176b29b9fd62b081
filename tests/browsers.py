"""Headless Chromium, in which tests look at what people will see."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest
from selenium import webdriver

SWITCHES = ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1500,950")
OWN = ("file:", "data:", "blob:", "chrome:")  # the last: the browser's own start page


def open_browser(profile):
    """A driver of Chromium, installed where that can be done; the caller quits it."""
    packages = {"chromium": "chromium", "chromedriver": "chromium-driver"}
    missing = [package for program, package in packages.items() if not shutil.which(program)]
    if missing:
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            pytest.skip(f"needs {' and '.join(missing)}; as root on Debian the test installs them")
        subprocess.run(["apt-get", "update", "-q"], check=True)
        subprocess.run(["apt-get", "install", "-y", "-q", *missing], check=True)
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    for switch in (*SWITCHES, f"--user-data-dir={profile}"):
        options.add_argument(switch)
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    return webdriver.Chrome(options=options, service=service)


def forget(browser):
    """Empty the browser's logs."""
    for log in ("performance", "browser"):
        browser.get_log(log)


def fetched(browser):
    """All addresses asked for since the logs were emptied, but those of files of this machine."""
    entries = [json.loads(e["message"])["message"] for e in browser.get_log("performance")]
    sent = [e for e in entries if e["method"] == "Network.requestWillBeSent"]
    addresses = [e["params"]["request"]["url"] for e in sent]
    assert any(address.startswith("file:") for address in addresses)
    return [address for address in addresses if not address.startswith(OWN)]


def complaints(browser):
    """Errors on the console since the logs were emptied."""
    return [e["message"] for e in browser.get_log("browser") if e["level"] == "SEVERE"]
