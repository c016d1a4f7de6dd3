"""What a verifier complains about, and where. Never quotes what a line says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that an untouched log does not have. ``line`` is 0 where the whole file is meant.

    ``seq``: the number of the record that is or should be there, 0 where none is meant.
    """

    file: str
    line: int
    text: str
    seq: int = 0

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where} (record {self.seq}): {self.text}" if self.seq else f"{where}: {self.text}"
