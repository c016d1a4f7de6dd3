"""DIMSE in and out, on asyncio and an upper layer of our own; of pynetdicom only tables are used.

It negotiates, bounds sizes and times, moves encoded bytes and turns outcomes into statuses. It decodes no instance's
data set, and what it receives never touches a disk.
"""

from __future__ import annotations

import logging
import warnings


def silence() -> None:
    """Take the voice from pydicom and pynetdicom: their log records and warnings carry UIDs, AE titles and values."""
    for name in ("pynetdicom", "pydicom"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL + 1)
        logger.propagate = False
        warnings.filterwarnings("ignore", module=name)
