"""A start that does nothing needless, and leaves nothing undone behind it."""

from __future__ import annotations

import gc
import importlib.util
import sys

import pytest

from proxy.lean import uncollected, without


def test_what_nobody_has_imported_is_not_there_for_a_while() -> None:
    sys.modules.pop("this", None)
    with without("this"), pytest.raises(ImportError):
        importlib.import_module("this")
    assert "this" not in sys.modules
    assert importlib.util.find_spec("this") is not None


def test_what_is_imported_already_stays() -> None:
    with without("json"):
        assert importlib.import_module("json") is sys.modules["json"]
    assert sys.modules["json"] is not None


def test_collections_are_back_after_a_start() -> None:
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), uncollected():
        _ = 1 / 0
    assert gc.isenabled()


def test_it_is_there_again_after_a_failure() -> None:
    with pytest.raises(ZeroDivisionError), without("this"):
        _ = 1 / 0
    assert importlib.util.find_spec("this") is not None
