from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.archive.tree import Tree, safe_name


@given(st.text(max_size=80))
def test_any_text_is_one_safe_component(text: str) -> None:
    name = safe_name(text.encode("utf-8", "replace").decode())
    assert name
    assert "/" not in name
    assert not name.startswith(".")
    assert set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-%")


@pytest.mark.parametrize(
    ("text", "name"),
    [("2.25.1", "2.25.1"), ("K7QX-A_b", "K7QX-A_b"), ("..", "%2E."), (".", "%2E"), ("", "%00"), ("a/b", "a%2Fb")],
)
def test_names(text: str, name: str) -> None:
    assert safe_name(text) == name


def test_a_link_where_possible_and_a_copy_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree, source = Tree(tmp_path / "root"), tmp_path / "source"
    tree.prepare()
    source.write_bytes(b"data")
    assert tree.place(source, "p/a/b/c/1.dcm")
    assert (tree.root / "p/a/b/c/1.dcm").samefile(source)

    def other_file_system(*_: object) -> None:
        raise OSError(errno.EXDEV, "other file system")

    monkeypatch.setattr(os, "link", other_file_system)
    assert tree.place(source, "p/a/b/c/2.dcm")
    assert not (tree.root / "p/a/b/c/2.dcm").samefile(source)
    assert (tree.root / "p/a/b/c/2.dcm").read_bytes() == b"data"


def test_order_of_what_makes_it_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file before its name, its name before the return; every new folder in its parent."""
    tree, source = Tree(tmp_path / "root"), tmp_path / "source"
    tree.prepare()
    source.write_bytes(b"data")
    steps: list[str] = []
    monkeypatch.setattr("proxy.archive.tree.synchronise", lambda path: steps.append(f"sync {path.name}"))
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda a, b: (steps.append("rename"), replace(a, b))[1])
    tree.place(source, "p/a/b/c/1.dcm")
    assert steps[:4] == ["sync root", "sync p", "sync a", "sync b"]
    assert steps[4].startswith("sync ")
    assert steps[5:] == ["rename", "sync c"]


def test_no_space_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree, source = Tree(tmp_path / "root"), tmp_path / "source"
    tree.prepare()
    source.write_bytes(b"data")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(OSError, match="full"):
        tree.place(source, "p/a/b/c/1.dcm")
    assert not [p for p in tree.root.rglob("*") if p.is_file()]


def test_a_failed_synchronisation_ends_the_process(tmp_path: Path) -> None:
    code = (
        "import os, sys, pathlib\n"
        "from proxy.archive import tree\n"
        "def broken(fd): raise OSError(5, 'EIO')\n"
        "os.fsync = broken\n"
        "tree.synchronise(pathlib.Path(sys.argv[1]))\n"
        "print('still here')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (74, "")
    assert "EIO" in done.stderr


def test_removal_takes_empty_folders_and_no_more(tmp_path: Path) -> None:
    tree, source = Tree(tmp_path / "root"), tmp_path / "source"
    tree.prepare()
    source.write_bytes(b"data")
    tree.place(source, "p/a/b/c/1.dcm")
    tree.place(source, "p/a/x/y/2.dcm")
    tree.remove("p/a/b/c/1.dcm")
    assert [r for _, r in tree.files()] == ["p/a/x/y/2.dcm"]
    assert not (tree.root / "p/a/b").exists()
    tree.remove("p/a/b/c/1.dcm")  # gone already
