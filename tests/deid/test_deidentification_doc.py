"""docs/deidentification.md says what the rules and the code do."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

from proxy.deid import dummies, markers
from proxy.errors import Reason
from proxy.service.held_words import ADVICE
from proxy.store.rulebook import EDITION, rules_root

TEXT = (Path(__file__).parents[2] / "docs" / "deidentification.md").read_text(encoding="utf-8")


def cells(heading: str) -> list[list[str]]:
    section = TEXT.split(f"{heading}\n", 1)[1].split("\n#", 1)[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in row] for row in rows]


def test_every_profile_and_its_codes(make: ModuleType) -> None:
    stated = {row[0].strip("`"): tuple(filter(None, row[1].split(", "))) for row in cells("## Profiles")}
    shipped = {path.stem for path in (rules_root() / "profiles").glob("*.yaml")}
    assert stated == {name: tuple(code for code, _ in make.policy(name).methods) for name in shipped}


def test_every_dummy() -> None:
    stated: dict[str, str] = {}
    for vrs, value in cells("### Dummies"):
        stated |= dict.fromkeys(vrs.split(", "), value.strip("`").replace("two zero bytes", "\0\0"))
    assert stated == {vr: value.decode().strip(" ") for vr, value in dummies.BY_VR.items()}


def test_every_reason_is_explained_as_the_console_explains_it() -> None:
    stated = [tuple(row) for row in cells("## Held: the reasons")]
    assert stated == [(", ".join(advice.reasons), advice.means, advice.todo) for advice in ADVICE]
    assert sorted(reason for advice in ADVICE for reason in advice.reasons) == sorted(Reason)


def test_edition_and_method(make: ModuleType) -> None:
    assert f"Edition: {EDITION}" in TEXT
    version, rest = markers.methods(make.policy("research"))[0].split(":", 1)
    assert re.fullmatch(r"Veil \S+", version)
    assert f"`Veil <version>:{rest}`" in TEXT
