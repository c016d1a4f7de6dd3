"""A profile that is sent along is read as one on disk would be, and cannot cost more than its size."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.errors import ConfigError
from proxy.store.candidate import read_candidate
from proxy.store.rulebook import load_profile

MINE = b"version: 1\nname: mine\nextends: research\nrules:\n  - {match: {keyword: KVP}, do: remove}\n"


def test_it_is_joined_with_what_it_extends(tmp_path: Path) -> None:
    found = read_candidate(MINE)
    assert found["unlisted"] == load_profile("research")["unlisted"]
    assert found["rules"][0]["do"] == "remove"
    (tmp_path / "mine.yaml").write_bytes(MINE)
    child = read_candidate(b"name: child\nextends: mine\n", tmp_path)
    assert (child["name"], child["rules"]) == ("child", found["rules"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"a: [", "line 1"),
        (b"a: 1\na: 2\n", "'a' stands twice"),
        (b"- a\n", "not a mapping"),
        (b"", "not a mapping"),
        (b"\xff\xfe", "not UTF-8"),
        (b"extends: nobody\n", "no profile 'nobody'"),
        (b"a: &x [1]\nb: *x\n", "aliases"),
        (b"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n", "aliases"),
        (b"a: " + b"[" * 50_000, "nested too deep"),
    ],
)
def test_what_is_wrong_is_said(text: bytes, words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace("(", r"\(")):
        read_candidate(text)
