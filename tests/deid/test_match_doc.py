"""docs/view.md says of each matching key what the table does."""

from __future__ import annotations

import re
from pathlib import Path

from proxy.deid.match import KEYS

PAGE = (Path(__file__).parents[2] / "docs" / "view.md").read_text(encoding="utf-8")


def test_the_table_of_keys_is_the_one_in_force() -> None:
    _, table, _ = re.split(r"<!-- /?keys -->", PAGE)
    rows = [line.split("|")[1:3] for line in table.strip().splitlines()[2:]]
    said = {key.strip(): use.strip() for keys, use in rows for key in keys.split(",")}
    assert said == {key: str(use) for key, use in KEYS.items()}
