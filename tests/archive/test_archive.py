from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.archive.archive import EmbeddedArchive, NotFilable
from proxy.archive.index import Index


def files(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*.dcm"))


async def test_the_tree_is_patient_study_series_instance(archive: EmbeddedArchive, make) -> None:
    path = make("a", SOPInstanceUID="2.25.3")
    assert await archive.store("research", path)
    assert files(archive.root) == ["research/K7QX/2.25.1/2.25.2/2.25.3.dcm"]
    assert (archive.root / files(archive.root)[0]).read_bytes() == path.read_bytes()


async def test_names_from_the_wire_cannot_leave_the_tree(archive: EmbeddedArchive, make) -> None:
    for index, patient in enumerate(("..", ".", "", "../../etc", "a/b", "~", ".incoming", "Ä")):
        await archive.store("research", make(f"n{index}", SOPInstanceUID=f"2.25.{index + 10}", PatientID=patient))
    found = files(archive.root)
    assert len(found) == 8
    assert all(len(Path(name).parts) == 5 and name.startswith("research/") for name in found)
    assert not list(archive.root.parent.glob("*.dcm"))
    assert await archive.rebuild() == 8


async def test_the_same_file_twice_is_filed_once(archive: EmbeddedArchive, make) -> None:
    path = make("a")
    assert await archive.store("research", path)
    assert not await archive.store("research", path)
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    assert not await archive.store("research", copy)
    assert len(await archive.instances("research", "2.25.1")) == 1


async def test_other_bytes_under_the_same_uid_replace(archive: EmbeddedArchive, make) -> None:
    await archive.store("research", make("a", SOPInstanceUID="2.25.3", InstanceNumber=1))
    await archive.store("research", make("b", SOPInstanceUID="2.25.3", InstanceNumber=7))
    (only,) = await archive.search("research", "instance", {}, [], 10, 0)
    assert only["00200013"]["Value"] == [7]
    assert len(files(archive.root)) == 1


async def test_an_instance_that_moves_to_another_study_leaves_the_old_one(archive: EmbeddedArchive, make) -> None:
    await archive.store("research", make("a", SOPInstanceUID="2.25.3"))
    await archive.store("research", make("b", SOPInstanceUID="2.25.3", StudyInstanceUID="2.25.5"))
    assert files(archive.root) == ["research/K7QX/2.25.5/2.25.2/2.25.3.dcm"]
    assert await archive.search("research", "study", {"StudyInstanceUID": "2.25.1"}, [], 10, 0) == []
    assert await archive.instances("research", "2.25.1") == []


async def test_projects_do_not_see_each_other(archive: EmbeddedArchive, make) -> None:
    path = make("a")
    await archive.store("one", path)
    await archive.store("two", path)
    assert len(await archive.search("one", "instance", {}, [], 10, 0)) == 1
    assert await archive.search("three", "instance", {}, [], 10, 0) == []
    assert await archive.instances("three", "2.25.1") == []


async def test_what_is_not_dicom_is_not_filed(archive: EmbeddedArchive, tmp_path: Path, make) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(b"not DICOM at all")
    with pytest.raises(NotFilable):
        await archive.store("research", bad)
    with pytest.raises(NotFilable):
        await archive.store("research", make("a", StudyInstanceUID=""))
    assert files(archive.root) == []


async def test_the_index_is_rebuilt_when_it_is_gone_or_of_another_version(tmp_path: Path, make) -> None:
    root = tmp_path / "archive"
    first = EmbeddedArchive(root)
    await first.start()
    for number in range(3):
        await first.store("research", make(f"f{number}", InstanceNumber=number))
    before = await first.search("research", "instance", {}, ["all"], 10, 0)
    await first.close()

    for damage in ("gone", "version", "garbage"):
        database = root / "index.db"
        if damage == "version":
            index = Index(database)
            index._connection.exec_driver_sql("PRAGMA user_version=999")
            index.close()
        elif damage == "garbage":
            database.write_bytes(b"this is not a database" * 1000)
        else:
            database.unlink()
        again = EmbeddedArchive(root)
        await again.start()
        assert await again.search("research", "instance", {}, ["all"], 10, 0) == before
        await again.close()


async def test_a_file_without_an_index_row_is_indexed_when_it_comes_again(tmp_path: Path, make) -> None:
    archive = EmbeddedArchive(tmp_path / "archive")
    await archive.start()
    path = make("a", SOPInstanceUID="2.25.3")
    archive._tree.place(path, "research/K7QX/2.25.1/2.25.2/2.25.3.dcm")  # as if killed before the index
    assert await archive.instances("research", "2.25.1") == []
    assert await archive.store("research", path)
    assert len(await archive.instances("research", "2.25.1")) == 1
    await archive.close()


KILLED = """
import asyncio, sys, time
from pathlib import Path
from proxy.archive import tree
from proxy.archive.archive import EmbeddedArchive
from proxy.archive.index import Index

root, source, where = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]

def here(*_):
    print(where, flush=True)
    time.sleep(60)

def no_links(*_):
    raise OSError(18, "EXDEV")

def half_a_copy(a, b):
    Path(b).write_bytes(Path(a).read_bytes()[:1000])
    here()

if where == "copying":
    tree.os.link, tree.shutil.copyfile = no_links, half_a_copy
elif where == "synchronising":
    tree.synchronise = lambda path: here() if path.is_file() else None
elif where == "indexing":
    Index.add = here

async def main():
    archive = EmbeddedArchive(root)
    await archive.start()
    await archive.store("research", source)

asyncio.run(main())
"""


@pytest.mark.parametrize("where", ["copying", "synchronising", "indexing"])
async def test_a_kill_while_storing_leaves_no_partial_file_visible(tmp_path: Path, make, where: str) -> None:
    source = make("a", SOPInstanceUID="2.25.3", PixelData=bytes(range(256)) * 100)
    root = tmp_path / "archive"
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(root), str(source), where], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline().decode().strip() == where
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()

    visible = [p for p in root.rglob("*") if p.is_file() and ".incoming" not in p.parts and "index.db" not in p.name]
    assert all(p.read_bytes() == source.read_bytes() for p in visible)
    assert len(visible) == (1 if where == "indexing" else 0)

    archive = EmbeddedArchive(root)
    await archive.start()
    assert list((root / ".incoming").iterdir()) == []
    assert await archive.search("research", "instance", {}, [], 10, 0) == []
    assert await archive.store("research", source)
    assert len(await archive.search("research", "instance", {}, [], 10, 0)) == 1
    await archive.close()
