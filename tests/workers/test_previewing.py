"""Previews from worker processes: complete, without a value, under another policy too; bounded by what is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

from proxy.deid.previewed import Previewed, Wish
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.types import Claimed
from proxy.errors import Reason
from proxy.service.ports import Held
from proxy.store.rulebook import load_profile, load_tables
from proxy.workers import previewing
from proxy.workers.arena import Arena
from proxy.workers.judge import Judge
from proxy.workers.pool import WorkerPool
from proxy.workers.text_reader import make_reader
from tests.system.planting import MARKERS, forms, fresh

CT = "693_UNCI.dcm"


def policy_of(profile: str = "basic", **more: Any) -> Policy:
    return compile_policy(load_tables(), PolicySpec("research", load_profile(profile), bytes(32), **more))


@pytest.fixture(scope="module")
def policy() -> Policy:
    return policy_of()


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(bytes(32), reader=make_reader())


def bytes_of(name: str) -> bytes:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return Path(path).read_bytes()


def preview(judge: Judge, policy: Policy, name: str = CT, wish: Wish | None = None) -> Previewed:
    return judge.preview(memoryview(bytes_of(name)), Claimed(), wish or Wish(), policy)


async def ask(pool: WorkerPool, data: bytes, wish: Wish, policy: Policy | None = None) -> Previewed | Held:
    with Arena(1 << 24) as arena:
        arena.write(data)
        return await pool.preview("research", arena, Claimed(), wish, policy)


@pytest.mark.timeout(120)
async def test_a_worker_says_what_is_said_without_one(policy: Policy, judge: Judge) -> None:
    pool = WorkerPool({"research": policy}, bytes(32), 1, 1024, 60.0)
    await pool.start()
    try:
        other = policy_of("research", uninspected_pixels="forward")
        assert await ask(pool, bytes_of(CT), Wish()) == preview(judge, policy)
        assert await ask(pool, bytes_of(CT), Wish(), other) == preview(judge, other)
        assert preview(judge, other).table != preview(judge, policy).table
        found = await ask(pool, b"no DICOM at all", Wish())
        assert isinstance(found, Previewed)
        assert (found.reason, found.table.missing, found.picture.shown) == ("not-dicom", "not-dicom", "nothing")
        pool._seconds = 0.001
        late = await ask(pool, bytes_of(CT), Wish())
        assert isinstance(late, Held)
        assert late.reason is Reason.WORKER_TIMEOUT
    finally:
        await pool.close()


@pytest.mark.parametrize(
    ("order", "reason"), [(b"crash", "worker-crashed"), (b"held", "nesting-too-deep"), (b"raise", "engine-error")]
)
async def test_what_breaks_a_worker_costs_the_preview_only(pool: Callable[..., Any], order: bytes, reason: str) -> None:
    made = await pool()
    found = await ask(made, order + b"\n" + bytes(100), Wish())
    assert str(found.reason) == reason
    assert "SMITH" not in repr(found)
    assert isinstance(await ask(made, b"held\n" + bytes(100), Wish()), Previewed)


async def test_it_is_bounded_in_time(pool: Callable[..., Any]) -> None:
    made = await pool(seconds=0.2)
    found = await ask(made, b"hang\n" + bytes(100), Wish())
    assert str(found.reason) == "worker-timeout"


def test_no_planted_value_is_told(judge: Judge, policy: Policy) -> None:
    for kind in ("plain", "held"):
        data = fresh(kind).part10
        found = judge.preview(memoryview(data), Claimed(), Wish(0, 2000), policy)
        assert len(found.table.rows) > 50
        said = repr(previewing.plain(found)).lower().encode() + found.picture.png.lower()
        assert [marker for marker in MARKERS for form in forms(marker) if form in said] == []
        assert any(form in data.lower() for form in forms(MARKERS[0]))


def test_elements_come_page_by_page(judge: Judge, policy: Policy) -> None:
    whole = preview(judge, policy, wish=Wish(0, 1000, 0)).table
    assert len(whole.rows) == whole.elements > 50
    pages = [preview(judge, policy, wish=Wish(start, 20, 0)).table.rows for start in range(0, whole.elements, 20)]
    assert [row for page in pages for row in page] == list(whole.rows)
    assert preview(judge, policy, wish=Wish(whole.elements, 20, 0)).table.rows == ()


def test_elements_inside_of_items_have_a_path(judge: Judge, policy: Policy) -> None:
    rows = preview(judge, policy, wish=Wish(0, 2000, 0)).table.rows
    nested = [row for row in rows if row.path]
    assert nested
    assert all(row.path.startswith("(") and row.tag.startswith("(") and row.path.endswith("]") for row in nested)
    assert {row.action for row in rows} >= {"remove", "keep", "pseudonym"}


def test_what_is_held_for_its_pixels_still_has_its_elements(judge: Judge) -> None:
    unread = {**load_profile("basic"), "pixels": {"text": "off"}}
    policy = compile_policy(load_tables(), PolicySpec("research", unread, bytes(32)))
    found = preview(judge, policy, "examples_rgb_color.dcm", Wish(0, 2000))
    assert (found.reason, found.picture.shown) == ("pixels-uninspected", "coarse")
    assert (found.table.rows[-1].action, found.table.rows[-1].rule) == ("hold", "undecided")
    assert len(found.table.rows) > 40


def test_what_is_said_comes_back_as_it_went(judge: Judge, policy: Policy) -> None:
    found = preview(judge, policy, "examples_palette.dcm")
    assert found.picture.marks
    assert previewing.restored(previewing.plain(found), found.picture.png) == found
