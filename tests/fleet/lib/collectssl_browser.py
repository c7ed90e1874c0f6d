# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A page in headless Chromium: what a person would see of it, on a screen of some size or on paper."""

from __future__ import annotations

import base64
import contextlib
import pathlib
import shutil
import typing as t

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")

# Boxes that stick out of the window, and texts that stick out of their boxes.
_OVERFLOWING = """
const width = document.documentElement.clientWidth, found = [];
for (const one of document.body.querySelectorAll('*')) {
    const box = one.getBoundingClientRect();
    const head = one.closest('thead');
    if (!box.width || !box.height || head && getComputedStyle(head).position == 'absolute')
        continue;
    if (box.right > width + 1 || box.left < -1 || one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0)
        found.push(one.tagName + ' ' + one.className + ': ' + one.textContent.trim().slice(0, 60));
}
if (document.documentElement.scrollWidth > width) found.push('the page is wider than the window');
return found;
"""
# Two texts that stand on top of each other cannot be read.
_COVERED = """
const found = [];
for (const row of document.querySelectorAll('tr')) {
    const lines = [], walk = document.createTreeWalker(row, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const text = walk.currentNode.textContent.trim(), range = document.createRange();
        range.selectNodeContents(walk.currentNode);
        if (text && getComputedStyle(walk.currentNode.parentElement.closest('tbody, thead')).clipPath == 'none')
            lines.push(...[...range.getClientRects()].filter(box => box.width > 1).map(box => [text, box]));
    }
    lines.forEach(([one, a], at) => lines.slice(at + 1).forEach(([other, b]) => {
        if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 2 && b.top < a.bottom - 2)
            found.push(one + ' / ' + other);
    }));
}
return found;
"""
# The contrast of each text with what is behind it, as WCAG 2 reckons it; returns those below a ratio.
_FAINT = """
const least = arguments[0], found = [];
const parse = text => { const all = text.match(/[0-9.]+/g).map(Number); return all.length > 3 ? all : [...all, 1]; };
const light = ([r, g, b]) => { const part = [r, g, b].map(value => { value /= 255;
    return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2]; };
for (const one of document.body.querySelectorAll('*')) {
    if (![...one.childNodes].some(node => node.nodeType == 3 && node.textContent.trim())) continue;
    let behind = one, paper = [0, 0, 0, 0];
    while (behind && paper[3] == 0) {
        paper = parse(getComputedStyle(behind).backgroundColor); behind = behind.parentElement; }
    const a = light(parse(getComputedStyle(one).color)), b = light(paper);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < least) found.push(ratio.toFixed(2) + ' ' + one.textContent.trim().slice(0, 60));
}
return found;
"""

# A frame is laid out and painted between two calls of this kind.
_PAINTED = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()));"
# When it was loaded and when something was to be seen of it, in milliseconds after the navigation began.
_OPENED = """
const [navigation] = performance.getEntriesByType('navigation');
const painted = performance.getEntriesByName('first-contentful-paint').map(one => one.startTime);
return Math.max(navigation.loadEventEnd, ...painted);
"""
# What a person can read of elements; what is folded or filtered away is not among it.
_READ = """
return [...document.querySelectorAll(arguments[0])].filter(one => one.checkVisibility())
    .map(one => one.innerText.trim().replace(/\\s+/g, ' '));
"""
# As if somebody had scrolled all over the page: what is far from the window is not laid out.
_SCROLLED = """
const sheet = new CSSStyleSheet();
sheet.replaceSync('* { content-visibility: visible !important; }');
document.adoptedStyleSheets.push(sheet);
try { return (function () { %s }).apply(null, arguments); } finally { document.adoptedStyleSheets.pop(); }
"""
_SIZE = "const {scrollWidth: width, scrollHeight: height} = document.documentElement; return {width, height};"


class Browser:
    """A window with one page in it."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(
        self, page: pathlib.Path, width: int, scheme: str = "light", media: str = "screen", scripts: bool = True
    ) -> None:
        """Show a file in a window of so many CSS pixels, in light or dark, as on a screen or in print."""
        self._tell("Emulation.setScriptExecutionDisabled", value=not scripts)
        self._tell(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._tell("Emulation.setEmulatedMedia", media=media, features=features)
        self.driver.get(page.as_uri())
        # The load event may come before the first layout: to a browser that is short of time the page has no width yet.
        if scripts:
            self.driver.execute_async_script(_PAINTED)

    def _tell(self, command: str, **parameters: t.Any) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", self.driver.execute_cdp_cmd(command, parameters))

    def ask(self, script: str, *arguments: t.Any) -> t.Any:
        """What a piece of JavaScript returns."""
        return self.driver.execute_script(script, *arguments)

    def _everywhere(self, script: str, *arguments: t.Any) -> t.Any:
        return self.ask(_SCROLLED.replace("%s", script), *arguments)

    def until(self, script: str, *arguments: t.Any) -> None:
        """Wait until a piece of JavaScript returns something true."""
        WebDriverWait(self.driver, 60).until(lambda _driver: self.ask(script, *arguments), script)

    def all(self, selector: str) -> list[WebElement]:
        """The elements that a CSS selector finds."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def seen(self, selector: str) -> list[str]:
        """What is to read of these elements, without line breaks."""
        return [" ".join(element.text.split()) for element in self.all(selector)]

    def read(self, selector: str) -> list[str]:
        """As ``seen``, of those that are in the open, and of a thousand at once."""
        return t.cast("list[str]", self._everywhere(_READ, selector))

    def unfold(self) -> None:
        """Unfold all that is folded and can be seen, as it is done with keys."""
        for summary in self.all("details:not([open]) > summary"):
            if summary.is_displayed():
                summary.send_keys(Keys.ENTER)

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def opened(self) -> float:
        """The seconds from the beginning of the navigation until the page was loaded and to be seen."""
        return float(self.ask(_OPENED)) / 1000

    def overflowing(self) -> list[str]:
        """What sticks out of the window, or out of its box."""
        return t.cast("list[str]", self._everywhere(_OVERFLOWING))

    def covered(self) -> list[str]:
        """Pairs of texts in a table that stand on top of each other."""
        return t.cast("list[str]", self._everywhere(_COVERED))

    def faint(self, least: float) -> list[str]:
        """Texts whose contrast with what is behind them is less."""
        return t.cast("list[str]", self._everywhere(_FAINT, least))

    def loaded(self) -> list[str]:
        """What the page had the browser load besides itself."""
        return t.cast("list[str]", self.ask("return performance.getEntriesByType('resource').map(one => one.name)"))

    def complaints(self) -> list[str]:
        """What the browser has to say against the page since the last time."""
        return [str(entry["message"]) for entry in self.driver.get_log("browser")]

    def picture(self, file: pathlib.Path) -> None:
        """Keep a picture of the whole page."""
        clip = {"x": 0, "y": 0, "scale": 1, **self.ask(_SIZE)}
        shot = self._tell("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        file.write_bytes(base64.b64decode(shot["data"]))

    def on_paper(self) -> bytes:
        """The page as a PDF of A4, without backgrounds as browsers print by default."""
        printed = self._tell("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, printBackground=False)
        return base64.b64decode(printed["data"])


def why_not() -> str | None:
    """Why no browser can be had here; None where one can."""
    missing = [] if _program() else ["chromium"]
    if not shutil.which("chromedriver"):
        missing.append("chromedriver")
    return f"there is no {' and no '.join(missing)} on PATH" if missing else None


def _program() -> str | None:
    found = [path for path in map(shutil.which, _BROWSERS) if path]
    return found[0] if found else None


@contextlib.contextmanager
def browser() -> t.Iterator[Browser]:
    """A browser of one's own, with nothing from before, and without a network."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(_program())
    # Its sandbox does not run as root; all it opens is what the tests made.
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "host-resolver-rules=MAP * ~NOTFOUND"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
