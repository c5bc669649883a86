"""A real Chromium; a test that needs one is skipped by the name of what is missing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

WEBGL = ("--use-gl=angle", "--use-angle=gl-egl", "--ignore-gpu-blocklist")
"""Mesa draws without a graphics card; Chromium's own software renderer takes two to four times as long."""


@contextmanager
def chromium(*flags: str) -> Iterator[Any]:
    """A browser of Playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright: not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next((found for name in names if (found := shutil.which(name))), "")
    if not path:
        pytest.skip("chromium: not installed")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=["--no-sandbox", *flags])
        yield started
        started.close()
