"""Where C-MOVE may send to: what a document may say of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from proxy.config_moves import MoveDestinations, moves, moves_at

TABLE = TypeAdapter(MoveDestinations)


def test_a_destination() -> None:
    found = TABLE.validate_python({"WS 1": {"host": "10.0.0.5", "port": 104, "tls": {"ca_file": "ca.pem"}}})
    assert (found["WS 1"].calling_ae, found["WS 1"].timeout_seconds) == (None, 30.0)
    placed = moves_at(found, Path("/etc/veil"))["WS 1"].tls
    assert placed is not None
    assert placed.ca_file == Path("/etc/veil/ca.pem")


@pytest.mark.parametrize(
    "wrong",
    [{"SEVENTEEN LETTERS": {"host": "a", "port": 1}}, {"A": {"host": "a", "port": 0}}, {"A": {"port": 1}}],
)
def test_what_is_none(wrong: object) -> None:
    with pytest.raises(ValidationError):
        TABLE.validate_python(wrong)


def test_a_project_names_those_of_the_table() -> None:
    known = TABLE.validate_python({"WS1": {"host": "10.0.0.5", "port": 104}})
    assert list(moves({"research": ["WS1"]}, known)) == []
    (problem,) = moves({"research": ["WS1", "WS2"]}, known)
    assert problem == "projects.research.move_destinations: no move destination is called 'WS2'"
