"""Synthetic patients, UIDs and codes from one seed. The same seed gives the same values on every machine.

Nothing here names a real person, institution or device. UIDs are of the form of PS3.5 B.2 (2.25.).
"""

from __future__ import annotations

import random
from datetime import date, timedelta

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

_FAMILY = ("Almquist", "Brandvold", "Czerny", "Dubreuil", "Esterhazy", "Fjellheim", "Grabowski", "Hollister")
_GIVEN = ("Aurelia", "Bertrand", "Cosima", "Dagobert", "Eleonora", "Florian", "Gislind", "Hartmut")
_PLACES = ("Northgate Infirmary", "Saint Osyth Hospital", "Lakeview Imaging", "Klinikum Bergen am See")


class Seeded:
    """A stream of made-up values. Order of the calls is part of the result."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def uid(self) -> str:
        """A UID that no other call gives."""
        return f"2.25.{self.random.getrandbits(122) | 1 << 122}"

    def name(self) -> str:
        """A person's name (VR PN)."""
        return f"{self.random.choice(_FAMILY)}^{self.random.choice(_GIVEN)}^{chr(65 + self.random.randrange(26))}"

    def place(self) -> str:
        """An institution (VR LO)."""
        return self.random.choice(_PLACES)

    def number(self, digits: int) -> str:
        """A string of ``digits`` digits that does not begin with 0."""
        return str(self.random.randrange(10 ** (digits - 1), 10**digits))

    def day(self) -> str:
        """A date (VR DA) between 2015 and 2024."""
        return (date(2015, 1, 1) + timedelta(days=self.random.randrange(3650))).strftime("%Y%m%d")

    def time(self) -> str:
        """A time (VR TM) with six decimals."""
        r = self.random
        return f"{r.randrange(24):02}{r.randrange(60):02}{r.randrange(60):02}.{r.randrange(10**6):06}"


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """A code sequence item (PS3.3 Table 8.8-1)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def one(item: Dataset) -> Sequence:
    """A sequence of one item."""
    return Sequence([item])


def reference(sop_class: str, instance: str) -> Dataset:
    """An item of the SOP Instance Reference Macro (PS3.3 Table 10-11)."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
    return item
