"""GDCM in a process of its own: ``python matrix_gdcm.py FOLDER`` decodes each FOLDER/*.dcm to FOLDER/*.raw.

It ends the process where it meets what it does not know, so it says which file it has come to on standard output.
The first byte of a .raw file is the planar configuration of what follows.
"""

from __future__ import annotations

import sys
from pathlib import Path

import gdcm


def main(folder: Path) -> None:
    """Decode; a file that GDCM cannot read gets no .raw."""
    for quiet in (gdcm.Trace.WarningOff, gdcm.Trace.ErrorOff, gdcm.Trace.DebugOff):
        quiet()
    for path in sorted(folder.glob("*.dcm")):
        print(path.name, flush=True)
        reader = gdcm.ImageReader()
        reader.SetFileName(str(path))
        if not reader.Read():
            continue
        image = reader.GetImage()
        text = image.GetBuffer()
        data = b"" if text is None else text.encode("utf-8", "surrogateescape")
        if text is not None and len(data) == image.GetBufferLength():
            path.with_suffix(".raw").write_bytes(bytes((image.GetPlanarConfiguration(),)) + data)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
