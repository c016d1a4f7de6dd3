"""What is written onto a rendered picture, read from the de-identified data set (PS3.18 8.3.5.1.1). Pure."""

from __future__ import annotations

from proxy.deid.access import charset_of, text_of
from proxy.deid.level import Level

#: annotation → lines of (label, attribute, unit)
KINDS: dict[str, tuple[tuple[tuple[str, int, str], ...], ...]] = {
    "patient": (
        (("", 0x00100010, ""),),
        (("ID", 0x00100020, ""),),
        (("born", 0x00100030, ""), ("", 0x00100040, ""), ("", 0x00101010, "")),
    ),
    "technique": (
        (("", 0x00080060, ""), ("", 0x00180015, ""), ("series", 0x00200011, ""), ("image", 0x00200013, "")),
        (("", 0x00180060, "kV"), ("", 0x00181151, "mA"), ("", 0x00181152, "mAs"), ("kernel", 0x00181210, "")),
        (("TR", 0x00180080, "ms"), ("TE", 0x00180081, "ms"), ("TI", 0x00180082, "ms"), ("flip", 0x00181314, "°")),
        (("thickness", 0x00180050, "mm"), ("W", 0x00281051, ""), ("C", 0x00281050, "")),
    ),
}
_MOST = 64
#: Frame Time, Cine Rate, Recommended Display Frame Rate
_FRAME_TIME, _RATES = 0x00181063, (0x00082144, 0x00180040)
_USUAL, _FASTEST, _SLOWEST = 100, 20, 10_000


def lines_of(root: Level, kinds: tuple[str, ...], index: int, frames: int) -> dict[str, tuple[str, ...]]:
    """kind → its lines, without those that would be empty; ``index`` of ``frames`` counts from 0."""
    charset = charset_of(root)
    found: dict[str, tuple[str, ...]] = {}
    for kind in kinds:
        lines = [" ".join(_worded(text_of(root, t, charset), a, u) for a, t, u in row) for row in KINDS[kind]]
        if kind == "technique" and frames > 1:
            lines.append(f"frame {index + 1} of {frames}")
        found[kind] = tuple(" ".join(line.split()) for line in lines if line.strip())
    return found


def _worded(value: str, label: str, unit: str) -> str:
    shown = "".join(each if each.isprintable() else " " for each in value.replace("^", " "))[:_MOST].strip()
    return f"{label} {shown} {unit}" if shown else ""


def milliseconds_of(root: Level) -> int:
    """How long one frame of a loop stands."""
    charset = charset_of(root)
    times = [text_of(root, _FRAME_TIME, charset)]
    numbers = [*map(_number, times), *(1000 / rate for tag in _RATES if (rate := _number(text_of(root, tag, charset))))]
    known = next(filter(None, numbers), _USUAL)
    return int(min(max(known, _FASTEST), _SLOWEST))


def _number(text: str) -> float:
    """A positive number, or 0."""
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0 < value < 1e9 else 0.0
