"""``veil deface``: whole series of head slices without the face, offline. Status 3 where a series was kept back.

Reads and writes identified files: the output is for ``veil deid`` or for sending to the proxy, not for release.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from proxy.commands import deface_files
from proxy.commands.deface_files import Series, images, series_in
from proxy.deid.dictionary import register
from proxy.deid.pixels.deface import FaceNotFound
from proxy.deid.pixels.deface_series import CT, MR, cut_through, without_face
from proxy.deid.profile import Policy, PolicySpec, compile_policy
from proxy.errors import ConfigError, InstanceHeld
from proxy.store.rulebook import load_profile, load_tables


@click.command("deface")
@click.argument("folder", metavar="IN_DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="folder for the new files")
def deface(folder: Path, out: Path) -> None:
    """Remove the face from the CT and MR series of heads in IN_DIR; all slices of a series have to be there.

    Other series are not copied. The new files name the patient as the old ones do, and state 113102.
    """
    if out.exists() and any(out.iterdir()):
        raise ConfigError(str(out), "is not empty; nothing was written", "choose another folder")
    policy = _policy()
    found, unread = series_in(folder, policy)
    for file in unread:
        click.echo(f"kept back  {file.source.path}: {file.why}")
    outcomes = [_one(series, policy, out) for series in found]
    for series, outcome in zip(found, outcomes, strict=True):
        click.echo(f"{outcome}  {series.sources[0].path} and {len(series.sources) - 1} more")
    done = sum(outcome.startswith("defaced") for outcome in outcomes)
    kept = len(unread) + sum(outcome.startswith("kept back") for outcome in outcomes)
    click.echo(f"{done} series defaced, {kept} series or files kept back")
    sys.exit(3 if kept else 0)


def _one(series: Series, policy: Policy, out: Path) -> str:
    if not series.shows:
        return "left out (no face expected)"
    if series.sop_class not in CT | MR:
        return "kept back (neither CT nor MR slices)"
    try:
        slices = images(series, policy)
        cut = cut_through(slices, series.sop_class in CT)
        cleared = [without_face(each, cut, series.sop_class in CT) for each in slices]
    except (FaceNotFound, InstanceHeld) as wrong:
        return f"kept back ({wrong})"
    except Exception as error:  # noqa: BLE001 - a verb is a shell; the text of an error may quote the file
        return f"kept back ({type(error).__name__})"
    try:
        deface_files.write(series, (frame for frame, _ in cleared), out)
    except OSError as error:
        raise ConfigError(str(out), error.strerror or "cannot be written") from None
    pixels = sum(count for _, count in cleared)
    where = "" if cut.vertex is not None else ", vertex not in view"
    return f"defaced ({pixels} voxels{where})"


def _policy() -> Policy:
    """Files are read as in flight; what the profile would do to them does not matter here."""
    tables = load_tables()
    register(tables.attributes)
    return compile_policy(tables, PolicySpec("deface", load_profile("basic"), bytes(32)))
