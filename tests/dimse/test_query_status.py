"""What a requester is told fits into an Error Comment (LO, PS3.7 C), is constant, and is in the documents."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from proxy.dimse import query_status
from proxy.dimse.query_status import Refused, refusal
from proxy.errors import AuditUnavailable, SpoolFull, VeilError
from proxy.service.upstream import UpstreamError
from proxy.service.view import TooBroad

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "proxy" / "dimse").glob("query_*.py"))
SECRET = "Zqxplant^Doe"


@pytest.mark.parametrize(
    "error", [TooBroad(SECRET), UpstreamError(SECRET, SECRET), AuditUnavailable(SECRET), SpoolFull(SECRET)]
)
def test_an_error_is_told_in_words_of_ours(error: VeilError) -> None:
    told = refusal(error)
    assert SECRET not in repr(told.elements)
    assert 0 < len(told.comment) <= 64
    assert refusal(VeilError(SECRET)).comment == "processing failure"


def comments() -> list[tuple[str, ast.expr]]:
    found = []
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refused":
                found.append((source.name, node.args[1]))
    return found


def test_every_comment_fits_and_is_constant() -> None:
    assert len(comments()) > 10
    for where, said in comments():
        if isinstance(said, ast.JoinedStr):
            assert ast.unparse(said) == "f'not granted: {self._verb}'", where
        elif not isinstance(said, ast.Call):
            assert isinstance(said, ast.Constant), where
            assert len(str(said.value)) <= 64, said.value


def test_every_status_is_documented() -> None:
    page = (ROOT / "docs" / "dimse.md").read_text(encoding="utf-8").split("## Query and retrieve")[1].split("\n## ")[0]
    known = {f"{value:04X}" for name, value in vars(query_status).items() if name.isupper() and isinstance(value, int)}
    rows = [line for line in page.split("| status | of |")[1].splitlines() if line.startswith("| ")]
    assert known == {code for row in rows for code in re.findall(r"[0-9A-F]{4}", row.split("|")[1])}
    assert len(known) > 10


def test_a_refusal_names_the_element() -> None:
    assert Refused(0xA900, "x", 0x00100020).elements == {"OffendingElement": 0x00100020, "ErrorComment": "x"}
    assert Refused(0xA900, "x").elements == {"ErrorComment": "x"}
