"""The page object of the browser tests: the only place that knows Streamlit's data-testids, which are not a stable interface."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

ROOT = Path(__file__).resolve().parents[2]
BROWSER, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
"""Where Debian and Ubuntu put them."""
PATIENCE = 120
"""Seconds after which a wait fails; the first page imports the framework and builds a model."""

UPLOAD = "[data-testid='stFileUploaderDropzoneInput']"
IMAGE = "[data-testid='stImage'] img"
ALERT = "[data-testid='stAlert']"
TITLE = "[data-testid='stHeading'] h1"
BAR = "[data-testid='stProgress']"
DOWNLOAD = "[data-testid='stDownloadButton'] button"
OPTION = "[role='option']"
LINK = "[data-testid='stSidebarNavLink']"


@contextlib.contextmanager
def server(environment: dict[str, str]) -> Iterator[str]:
    """Start the app as `zoo app` does, on a free port of this machine; yields its address and stops it at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "apps/main.py", f"--server.port={port}", "--server.headless=true"]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        WebDriverWait(process, PATIENCE).until(lambda started: _healthy(started, address), "the server did not answer")
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextlib.contextmanager
def chromium(profile: Path, downloads: Path, size: str = "1280,1000") -> Iterator[webdriver.Chrome]:
    """A headless browser with a profile of its own, which cannot call home."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run")
    for flag in (*flags, f"--window-size={size}", f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads), "download.prompt_for_download": False})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    try:
        yield driver
    finally:
        driver.quit()


class Page:
    """A page of the app, *Why this answer?* first, as a visitor sees it. Every question waits until the page can answer it."""

    def __init__(self, driver: webdriver.Chrome, address: str):
        self.driver = driver
        self.wait = WebDriverWait(driver, PATIENCE, ignored_exceptions=(StaleElementReferenceException,))
        driver.get(address)

    def title(self) -> str:
        return self.first(TITLE).text

    def follow(self, title: str) -> None:
        """Go to the page `title` by its link in the side bar, and wait for its heading."""
        self.wait.until(lambda _: [link for link in self.all(LINK) if link.text.endswith(title)], f"no link to {title!r}")
        next(link for link in self.all(LINK) if link.text.endswith(title)).click()
        self.wait.until(lambda _: any(heading.text == title for heading in self.all(TITLE)), f"the page {title!r} did not open")

    def bars(self) -> list[str]:
        """The text of the top-5 bars, once they and the overlay are there."""
        self.wait.until(lambda _: len(self.all(BAR)) == 5)
        return [bar.text for bar in self.all(BAR)]

    def picture(self, alt: str) -> str:
        """Address of the image whose alternative text begins with `alt`, once it has been painted. The address follows the content."""
        return self.wait.until(lambda _: self._painted(alt), f"no image with the alternative text {alt!r}")

    def changed(self, alt: str, before: str) -> str:
        """The new address of that image, once it differs from `before`."""
        return self.wait.until(lambda _: (now := self._painted(alt)) and now != before and now, f"the image {alt!r} did not change")

    def upload(self, path: Path) -> None:
        self.wait.until(lambda _: self.all(UPLOAD))
        self.all(UPLOAD)[0].send_keys(str(path))

    def refusal(self, words: str) -> str:
        """Text of the alert that holds `words`."""
        return self.wait.until(lambda _: next((a.text for a in self.all(ALERT) if words in a.text), None), f"no alert says {words!r}")

    def choose(self, label: str, number: int) -> str:
        """Choose the option `number` of the select box `label`, with the keyboard; returns its text."""
        box = self.first(f"input[aria-label*='{label}']")
        box.send_keys(Keys.ARROW_DOWN)
        self.wait.until(lambda _: len(self.all(OPTION)) > number)
        option = self.all(OPTION)[number]
        text = option.text
        option.click()
        return text

    def add(self, label: str, option: str) -> None:
        """Choose one more option of the multiple selection `label`, by its text."""
        box = self.first(f"input[aria-label*='{label}']")
        box.click()
        box.send_keys(option)
        self.wait.until(lambda _: any(found.text == option for found in self.all(OPTION)), f"no option {option!r}")
        next(found for found in self.all(OPTION) if found.text == option).click()
        box.send_keys(Keys.ESCAPE)

    def remove(self, label: str) -> None:
        """Take the last option of the multiple selection `label` away."""
        self.first(f"input[aria-label*='{label}']").send_keys(Keys.BACKSPACE)

    def pages(self) -> list[str]:
        """Titles of the pages in the navigation."""
        self.first(LINK)
        return [_name(link) for link in self.all(LINK)]

    def go(self, name: str) -> None:
        next(link for link in self.all(LINK) if _name(link) == name).click()

    def download(self, label: str, folder: Path) -> bytes:
        """Press the download button `label` and return the file, once it is complete in `folder`."""
        before = set(folder.iterdir())
        next(button for button in self.all(DOWNLOAD) if label in button.text).click()

        def complete(_):
            """Chromium writes to a hidden name, then to NAME.crdownload, and renames at the end."""
            fresh = set(folder.iterdir()) - before
            pending = [path for path in fresh if path.name.startswith(".") or path.suffix == ".crdownload"]
            return not pending and [path for path in fresh if path.stat().st_size]

        return self.wait.until(complete)[0].read_bytes()

    def severe(self) -> list[str]:
        """Severe messages of the browser's console."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def all(self, selector: str) -> list:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def first(self, selector: str):
        self.wait.until(lambda _: self.all(selector), f"nothing matches {selector}")
        return self.all(selector)[0]

    def _complete(self, image) -> bool:
        return self.driver.execute_script("return arguments[0].complete && arguments[0].naturalWidth > 0", image)

    def _painted(self, alt: str) -> str | None:
        images = [image for image in self.all(IMAGE) if (image.get_attribute("alt") or "").startswith(alt)]
        return images[0].get_attribute("src") if images and self._complete(images[0]) else None


def _name(link) -> str:
    """The title in a link of the navigation; the letters of an icon font stand before it."""
    return link.text.splitlines()[-1]


def _healthy(process: subprocess.Popen, address: str) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"the server ended with status {process.returncode}")
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False
