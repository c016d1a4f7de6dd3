"""``veil audit tail``: the end of the log, and with -f what comes, from its folder. Reads; neither asks nor records.

Whoever can read the folder needs no grant. A record of which the disk was not sure yet may be shown.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from proxy.audit.follow import Follower, cursor_after, seq_of
from proxy.audit.formats.entry import entry_of
from proxy.audit.lookup import Lookup, Question
from proxy.audit.selection import Selection
from proxy.commands.options import config_option
from proxy.config import load_config

_POLL = 0.5
#: as far as the file goes: another process writes it, and only that one knows what the disk has for good
_END = 1 << 62


@click.command("tail")
@click.argument("folder", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False))
@config_option
@click.option("-n", "--lines", "count", type=click.IntRange(0), default=10, show_default=True, help="so many records")
@click.option("-f", "--follow", is_flag=True, help="go on with those that come, until Ctrl-C")
@click.option("--type", "types", multiple=True, help="only records of this type; can be given again, as the others")
@click.option("--outcome", "outcomes", multiple=True, help="success or failure")
@click.option("--project", "projects", multiple=True, help="of this project")
@click.option("--peer", "peers", multiple=True, help="of this address, AE title or name")
@click.option("--object", "objects", multiple=True, help="with this UID, id, destination or digest")
@click.option("--json", "as_json", is_flag=True, help="as the lines of the log")
def tail(
    folder: Path | None,
    config_path: Path,
    count: int,
    follow: bool,
    types: tuple[str, ...],
    outcomes: tuple[str, ...],
    projects: tuple[str, ...],
    peers: tuple[str, ...],
    objects: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show the last records of the log in FOLDER, or of the site's; with -f those that come, too."""
    folder = folder or load_config(config_path).data_dir / "audit"
    if not folder.is_dir():
        raise click.ClickException("there is no log yet")
    types_, outcomes_, projects_ = frozenset(types), frozenset(outcomes), frozenset(projects)
    selection = Selection(types_, outcomes_, projects_, peers=frozenset(peers), objects=frozenset(objects))
    say = click.echo if as_json else _say
    end = _last(folder)
    for line in _before(folder, Question(selection, before=end + 1), count):
        say(line.decode("ascii", "backslashreplace"))
    if follow:
        _follow(folder, end, selection.test(), say)


def _last(folder: Path) -> int:
    newest = Lookup(folder, lambda: _END).page(Question(limit=1)).lines
    return seq_of(newest[0]) if newest else 0


def _before(folder: Path, question: Question | None, count: int) -> Iterator[bytes]:
    """The newest ``count`` that are meant, oldest first."""
    found: list[bytes] = []
    while question is not None and len(found) < count:
        page = Lookup(folder, lambda: _END).page(question)
        found += page.lines
        question = page.next
    return reversed(found[:count])


def _follow(folder: Path, after: int, meant: Callable[[bytes], bool], say: Callable[[str], None]) -> None:
    follower = Follower(folder, lambda: _END, cursor_after(folder, after))
    try:
        while True:
            lines = follower.next(1000).lines
            for line in lines:
                if meant(line.data):
                    say(line.data.decode("ascii"))
            if not lines:
                time.sleep(_POLL)
    except KeyboardInterrupt:
        return


def _say(line: str) -> None:
    """For eyes: what peers call themselves steers no terminal, `entry_of` spells it out."""
    record = json.loads(line)
    entry = entry_of(record)
    words = [str(record["seq"]), entry.time, entry.type, entry.outcome, entry.project or "-", entry.who or "-"]
    about = [entry.reason, *(f"{name.partition('.')[2]}={value}" for name, value in entry.told.items() if _shown(name))]
    click.echo("  ".join(words + [each for each in about if each]))


def _shown(name: str) -> bool:
    return name.startswith("object.") and not name.endswith("kind")
