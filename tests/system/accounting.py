"""Reads an audit log as an auditor would: does each instance that arrived have one end, and only one?

Knows the records of docs/audit.md and nothing of the program that wrote them.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Record = dict[str, Any]
VERDICTS = ("released", "held", "refused")
ENDS = ("delivered", "rejected")


def read(folder: Path) -> list[Record]:
    """The records in order."""
    lines = [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]
    return [json.loads(line) for line in lines]


@dataclass
class Account:
    """What became of everything. ``wrong``: what should not be."""

    verdicts: Counter[str] = field(default_factory=Counter)
    taken_back: int = 0
    ends: Counter[tuple[str, str]] = field(default_factory=Counter)  # destination, SOP Instance UID
    rejected: set[tuple[str, str]] = field(default_factory=set)
    again: int = 0  # ends beyond the first of an instance at a destination
    released: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # pseudonym → digests of originals
    held: set[str] = field(default_factory=set)  # entries of the quarantine
    wrong: list[str] = field(default_factory=list)


def account(records: Iterable[Record]) -> Account:
    """Of a whole log."""
    everything = list(records)
    late = {
        number
        for record in everything
        if record["type"] == "audit-late"
        for number in range(record["object"]["first"], record["object"]["last"] + 1)
    }
    valid = [record for record in everything if record["seq"] not in late]
    found = Account()
    _arrivals(valid, found)
    _ends(valid, found)
    return found


def _arrivals(records: list[Record], found: Account) -> None:
    arrivals: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record["type"] in ("received", *VERDICTS):
            if "arrival" not in record["object"]:
                found.wrong.append(f"record {record['seq']}: {record['type']} of no arrival")
            arrivals[record["object"].get("arrival", "")].append(record)
    for arrival, own in arrivals.items():
        types = [record["type"] for record in own]
        if types[0] != "received" or types.count("received") != 1 or len(types) == 1:
            found.wrong.append(f"arrival {arrival}: {types}")
        elif len(types) == 3 and types[1] == "released" and types[2] != "released":
            found.taken_back += 1
        elif len(types) != 2:
            found.wrong.append(f"arrival {arrival}: {types}")
        _count(own[-1], found)


def _count(verdict: Record, found: Account) -> None:
    found.verdicts[verdict["type"]] += 1
    about = verdict["object"]
    if verdict["type"] == "released":
        found.released[about["sop_instance_uid"]].add(about["original"]["sop_instance_uid"])
    elif verdict["type"] == "held":
        found.held.add(about["id"])


def _ends(records: list[Record], found: Account) -> None:
    """In one life of the process: once for each time it was released, and once for what was under way before."""
    may: Counter[tuple[str, str]] = Counter()
    released: Counter[str] = Counter()
    known: set[str] = set()
    for record in records:
        about = record["object"]
        if record["type"] == "started":
            may, released = Counter(), Counter()
        elif record["type"] == "released":
            released[about["sop_instance_uid"]] += 1
            known.add(about["sop_instance_uid"])
        elif record["type"] in ENDS:
            at = (about["destination"], about["sop_instance_uid"])
            may[at] += 1
            if at[1] not in known:
                found.wrong.append(f"record {record['seq']}: {record['type']}, and never released")
            if may[at] > released[at[1]] + 1:
                found.wrong.append(f"record {record['seq']}: {record['type']} once more, without a reason")
            found.again += at in found.ends
            found.ends[at] += 1
            if record["type"] == "rejected":
                found.rejected.add(at)
