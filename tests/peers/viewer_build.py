"""Where OHIF is, and how its page is found one's way in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.system.harness import REPOSITORY

ROW = "tbody tr"
CANVAS = "canvas.cornerstone-canvas"


def build() -> Path:
    """The folder that `make viewer` fills; where it is empty the test is skipped, or in CI fails."""
    folder = Path(os.environ.get("VEIL_VIEWER", REPOSITORY / "build" / "viewer"))
    if not (folder / "index.html").exists():
        text = f"OHIF is not in {folder}: run make viewer"
        pytest.fail(text) if os.environ.get("VEIL_REQUIRE_PEERS") == "1" else pytest.skip(text)
    return folder
