from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from proxy.console.answers import in_words

ROOT = Path(__file__).parents[2] / "proxy"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("A700", "A700: out of resources"),
        ("0122", "0122: SOP class not supported"),
        ("C123", "C123: cannot understand"),
        ("0FFF", "0FFF"),
        ("503", "503: Service Unavailable"),
        ("799", "799"),
        ("409 A900", "409 A900: Conflict, data set does not match SOP class"),
        ("A-ASSOCIATE-RJ 1/1/7", "association rejected: called AE title not recognised (1/1/7)"),
        ("A-ASSOCIATE-RJ 2/9/9", "association rejected: reason unknown (2/9/9)"),
        ("timeout", "no answer in time"),
        ("", ""),
        ("<b>", "<b>"),
    ],
)
def test_in_words(code: str, words: str) -> None:
    assert in_words(code) == words


def test_every_code_that_a_sender_writes_out_has_words() -> None:
    errors = {"DeliveryTransient", "InstanceRejected", "DestinationRefuses"}
    found = set()
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in errors:
                code = node.args[0] if node.args else None
                if isinstance(code, ast.Constant) and re.fullmatch(r"[a-z-]+", str(code.value)):
                    found.add(str(code.value))
    assert len(found) > 8
    assert {code for code in found if in_words(code) == code} == set()
