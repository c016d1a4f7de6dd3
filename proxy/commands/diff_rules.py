"""``veil diff-rules``: what a change of rules would change in these files, before it is put into force. No values.

Both profiles run with one throw-away key, so that only the rules differ. Status 0, or 3 where one of them holds a file
that the other releases, or both do.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from pydicom.datadict import keyword_for_tag
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from proxy.commands.explain import examined, verdict
from proxy.deid.contents import Contents, Reader
from proxy.deid.dictionary import register
from proxy.deid.explained import Explained, place
from proxy.deid.place import Step
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.deid.reading import Path as Place
from proxy.deid.tables import Tables, tag_text
from proxy.errors import ConfigError
from proxy.service.offline import find
from proxy.store.rulebook import load_pixel_rules, load_profile, load_tables, rules_root

_KEY = bytes(32)
#: an element of the output that no step tells of
_NOTHING = Step((), 0, "", "absent", "", "")
Key = tuple[Place, int]


@dataclass(frozen=True, slots=True)
class Change:
    """One element that the two profiles treat differently. ``before`` and ``after`` are actions, or equal words."""

    path: Place
    tag: int
    before: Step
    after: Step

    @property
    def sequences(self) -> tuple[int, ...]:
        """The place without the numbers of items, for sums."""
        return (*self.path[::2], self.tag)

    @property
    def words(self) -> tuple[str, str]:
        """Old and new action; the same word twice says that the value is another one."""
        if self.before.action == self.after.action:
            return self.before.action, f"{self.after.action}, another value"
        return self.before.action, self.after.action


@click.command("diff-rules")
@click.argument("old")
@click.argument("new")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
def diff_rules(old: str, new: str, files: tuple[Path, ...]) -> None:
    """Compare two profiles on FILES: OLD and NEW are names of shipped profiles or YAML files, each named as it says."""
    tables = load_tables()
    register(tables.attributes)
    policies = tuple(_policy(tables, each) for each in (old, new))
    console = Console(markup=False, emoji=False, highlight=False)
    sums: Counter[tuple[tuple[int, ...], tuple[str, str]]] = Counter()
    held = 0
    sources = find(files)
    for source in sources:
        data = memoryview(source.path.read_bytes())
        before, after = (examined(data, policy) for policy in policies)
        found = list(changes(before, after, Reader(tables))) if not (before.held or after.held) else []
        held += bool(before.held or after.held)
        _show(console, source.path, before, after, found)
        sums.update((change.sequences, change.words) for change in found)
    _show_sums(console, sums)
    click.echo(f"{len(sources)} files, {sum(sums.values())} changes at {len(sums)} kinds of places, {held} held")
    sys.exit(3 if held else 0)


def changes(before: Explained, after: Explained, reader: Reader) -> Iterator[Change]:
    """Elements whose action differs, or whose value does under the same action; in document order."""
    old, new = ({(step.path, step.tag): step for step in each.steps} for each in (before, after))
    was, now = (reader.read(memoryview(each.output)) for each in (before, after))
    for key in sorted(old.keys() | new.keys(), key=lambda each: (*each[0], each[1])):
        first, second = old.get(key, _NOTHING), new.get(key, _NOTHING)
        if first.action != second.action or _value(was, key) != _value(now, key):
            yield Change(*key, first, second)


def _value(contents: Contents, key: Key) -> bytes | None:
    leaf = contents.places.get(key)
    return bytes(leaf.value) if leaf is not None else None


def _profile(name: str) -> Mapping[str, Any]:
    path = Path(name)
    if path.suffix != ".yaml":
        return load_profile(name)
    if not path.is_file():
        raise ConfigError(name, "there is no such profile")
    if path.resolve().parent == rules_root() / "profiles":
        return load_profile(path.stem)
    return load_profile(path.stem, site=path.parent)


def _policy(tables: Tables, name: str) -> Policy:
    profile = _profile(name)
    # a file is compared whatever its pixels and Patient ID are: the rules of the profile are what is asked for
    return compile_policy(
        tables,
        PolicySpec(
            project="diff-rules",
            profile=profile,
            # a site keeps its device rules beside its profiles
            pixel_rules=load_pixel_rules(profile, site=Path(name).resolve().parent.parent / "pixels"),
            root_key=_KEY,
            blank_patient_id="per-study",
            uninspected_pixels="forward",
        ),
    )


def _show(console: Console, path: Path, before: Explained, after: Explained, found: list[Change]) -> None:
    old, new = verdict(before.held), verdict(after.held)
    if before.held or after.held:
        click.echo(f"{path}: {old}" if old == new else f"{path}: {old} -> {new}")
        return
    click.echo(f"{path}: {len(found)} changes")
    if not found:
        return
    table = _table("place", "keyword", "old", "new", "old rule", "new rule")
    for change in found:
        where = place(change.path, change.tag), keyword_for_tag(change.tag)
        table.add_row(*where, *change.words, _rule(change.before), _rule(change.after))
    console.print(table)


def _show_sums(console: Console, sums: Counter[tuple[tuple[int, ...], tuple[str, str]]]) -> None:
    if not sums:
        return
    table = _table("all files: place", "keyword", "old", "new", "elements")
    for (tags, words), count in sorted(sums.items()):
        table.add_row(".".join(map(tag_text, tags)), keyword_for_tag(tags[-1]), *words, str(count))
    console.print(table)


def _rule(step: Step) -> str:
    return f"{step.rule} ({step.section})" if step.section else step.rule


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in columns:
        table.add_column(name, overflow="fold", no_wrap=name.endswith("place"))
    return table
