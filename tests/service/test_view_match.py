"""One match: de-identified as an instance is, or held; only what the gate released, only what the tables know."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.deid.verify import Gate
from proxy.errors import Reason
from proxy.service import view_match
from proxy.service.ports import Held
from proxy.service.view_match import Match, Matches
from tests.service.viewing import GATE_KEY, Deidentifier, pacs_of, policy_of, small


@pytest.fixture
def deidentifier() -> Deidentifier:
    return Deidentifier({"research": policy_of("research")})


@pytest.fixture
def matches(deidentifier: Deidentifier) -> Matches:
    return Matches(deidentifier, Gate(GATE_KEY))


def header(**values: Any) -> dict[str, Any]:
    (one,) = pacs_of(small(1, **values)).headers.values()
    return dict(one)


async def released(matches: Matches, match: dict[str, Any], level: str = "study") -> Match:
    out = await matches.released("research", "digest", level, match)
    assert isinstance(out, Match), out
    return out


@pytest.mark.parametrize("level", ["study", "series", "instance"])
async def test_a_match_says_what_the_instance_would(matches: Matches, level: str) -> None:
    whole = await released(matches, header(), "instance")
    out = await released(matches, header(), level)
    assert out.json.items() <= whole.json.items()
    assert out.report.patient_id == whole.report.patient_id
    assert ("0020000E" in out.json) == (level != "study")
    assert ("00080018" in out.json) == (level == "instance")
    assert "Zqx" not in repr(out.json)


async def test_what_no_table_knows_does_not_even_go_in(matches: Matches) -> None:
    more = {"00204000": {"vr": "LT", "Value": ["Zqxplant"]}, "00091001": {"vr": "LO", "Value": ["Zqxplant"]}}
    assert (await released(matches, header() | more)).json == (await released(matches, header())).json


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"0020000D": {"vr": "UI"}}, Reason.MALFORMED),
        ({"00100020": {"vr": "LO"}}, Reason.BLANK_PATIENT_ID),
        ({"0020000D": {"vr": "UI", "Value": ["no UID"]}}, Reason.BAD_UID),
        ({"00080020": {"vr": "DA", "Value": [{"a": 1}]}}, Reason.MALFORMED),
    ],
)
async def test_what_cannot_be_judged_is_held(matches: Matches, change: dict[str, Any], reason: Reason) -> None:
    out = await matches.released("research", "digest", "study", header() | change)
    assert isinstance(out, Held)
    assert out.reason is reason
    assert "no UID" not in out.detail


async def test_bytes_of_another_gate_are_not_shown(deidentifier: Deidentifier) -> None:
    out = await Matches(deidentifier, Gate(bytes(32))).released("research", "digest", "study", header())
    assert isinstance(out, Held)


async def test_what_was_released_is_remembered_up_to_a_bound(
    matches: Matches, deidentifier: Deidentifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_match, "_REMEMBERED", 1)
    for match in (header(), header(), header(StudyTime="120000"), header()):
        await released(matches, match)
    assert deidentifier.runs == 3
    await matches.released("research", "another digest", "study", header())
    assert deidentifier.runs == 4
