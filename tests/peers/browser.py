"""Headless Chromium (Debian's, driven by Playwright) that keeps what went wrong in it, for tests of pages."""

from __future__ import annotations

import base64
import io
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.system import remains

SCREENSHOTS = Path(os.environ.get("VEIL_SCREENSHOTS", "build/screenshots"))
_ARGUMENTS = (
    "--no-sandbox", "--no-first-run", "--disable-quic", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
)  # fmt: skip


@dataclass
class Browser:
    """One page. ``asked``: every URL; ``failed``: requests without an answer, broken scripts, errors on the console."""

    page: Page
    failed: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Listen from now on."""
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("requestfailed", self._broken)
        self.page.on("pageerror", lambda error: self.failed.append(f"error in the page: {error}"))
        self.page.on("console", lambda said: self.failed.append(said.text) if said.type == "error" else None)

    def _broken(self, request: Any) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page's own doing: it was left, or wants something else by now
            self.failed.append(f"{request.url}: {request.failure}")

    def picture(self) -> np.ndarray:
        """What is drawn on the first viewport's canvas: rows, columns, RGB."""
        url = self.page.locator("canvas.cornerstone-canvas").first.evaluate("canvas => canvas.toDataURL('image/png')")
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB"))

    def colours(self) -> int:
        """How many different values are in that picture."""
        return len(np.unique(self.picture()))

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 45.0) -> None:
        """Wait for ``condition``; AssertionError with ``what`` after ``seconds``."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}; {self.failed}"
            self.page.wait_for_timeout(100)

    def shoot(self, name: str) -> str:
        """Keep a picture of the page; returns all that stands in it at that moment: address, document, text, fields."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")
        fields = "[...document.querySelectorAll('input, textarea')].map(field => field.value).join('\\n')"
        text = "\n".join((self.page.url, self.page.title(), self.page.content(), self.page.evaluate(fields)))
        remains.keep(text)
        return text


@contextmanager
def browser(chromium: Path) -> Iterator[Browser]:
    """A new browser with an empty profile, of 1280 × 800 pixels."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=list(_ARGUMENTS))
        try:
            made = Browser(running.new_page(viewport={"width": 1280, "height": 800}))
            made.page.set_default_timeout(60_000)
            made.watch()
            yield made
        finally:
            running.close()
