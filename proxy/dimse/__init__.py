"""DIMSE in and out: a thin shell over pynetdicom, which nothing outside this folder knows.

It negotiates, bounds sizes and times, moves encoded bytes and turns outcomes into statuses. It decodes no data set,
and what it receives never touches a disk.
"""

from __future__ import annotations

import logging
import warnings

from pynetdicom import _config


def silence() -> None:
    """Take the voice from pynetdicom and pydicom: their log records and warnings carry UIDs, AE titles and values."""
    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
    for name in ("pynetdicom", "pydicom"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL + 1)
        logger.propagate = False
        warnings.filterwarnings("ignore", module=name)
