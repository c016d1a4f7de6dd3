"""``veil pixels``: see what a project's rules do to the pixels of a file."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from PIL import Image, ImageDraw, ImageFont

from proxy.commands.options import config_option
from proxy.commands.policy import project_option, project_policy
from proxy.deid.pixels.masked import colour_of
from proxy.deid.pixels.preview import Preview
from proxy.deid.pixels.preview import preview as look
from proxy.errors import InstanceHeld
from proxy.workers.text_reader import make_reader

_PAPER, _INK = "#10151c", "#f2f4f8"
_LINE, _MARGIN, _LEAST = 18, 8, 480


@click.group("pixels")
def pixels() -> None:
    """See what happens to pixels."""


@pixels.command("preview")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@config_option
@project_option
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="the PNG to write: it is PHI"
)
@click.option("--frame", type=click.IntRange(min=1), default=1, show_default=True, help="which frame, counted from 1")
def preview(file: Path, config_path: Path, project: str, out: Path, frame: int) -> None:
    """Draw on FILE's picture what would be blanked, and why. Status 0 would leave, 3 would be held."""
    config, _, policy = project_policy(config_path, project)
    if file.stat().st_size > config.limits.instance_bytes:
        raise click.ClickException(f"{file}: larger than limits.instance_bytes")
    try:
        seen = look(memoryview(file.read_bytes()), policy, make_reader(), frame - 1)
    except InstanceHeld as held:
        raise click.ClickException(f"{file}: no picture: {held}") from None
    drawn(seen, frame - 1).save(out, "PNG")
    for line in seen.lines:
        click.echo(line)
    for area in seen.areas(frame - 1):
        box = area.box
        click.echo(f"  {area.source}: columns {box.left} to {box.right - 1}, rows {box.top} to {box.bottom - 1}")
    sys.exit(3 if seen.held is not None else 0)


def drawn(seen: Preview, frame: int) -> Image.Image:
    """The picture with its areas, hatched so that what is below can be judged, and what is said of it underneath."""
    picture = Image.fromarray(seen.picture)
    areas = seen.areas(frame)
    lines = [*seen.lines, f"frame {frame + 1} of {seen.frames}"]
    sources = sorted({area.source for area in areas})
    height = picture.height + 2 * _MARGIN + _LINE * (len(lines) + len(sources))
    sheet = Image.new("RGB", (max(picture.width, _LEAST), height), _PAPER)
    sheet.paste(picture, (0, 0))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for area in areas:
        _hatch(pen, (area.box.left, area.box.top, area.box.right - 1, area.box.bottom - 1), colour_of(area.source))
    at = picture.height + _MARGIN
    legend = [(f"[] {source}", colour_of(source)) for source in sources]
    for text, colour in [*((line, _INK) for line in lines), *legend]:
        pen.text((_MARGIN, at), text, colour, font=font)
        at += _LINE
    return sheet


def _hatch(pen: ImageDraw.ImageDraw, box: tuple[int, int, int, int], colour: str) -> None:
    left, top, right, bottom = box
    pen.rectangle(box, outline=colour, width=2)
    for offset in range(0, right - left + bottom - top, 12):
        start = (left + min(offset, right - left), top + max(offset - (right - left), 0))
        end = (left + max(offset - (bottom - top), 0), top + min(offset, bottom - top))
        pen.line((*start, *end), fill=colour)
