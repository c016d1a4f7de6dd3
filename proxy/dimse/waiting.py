"""Waiting for messages on an association of ours, in steps: with a deadline that moves, and an end when it is aborted.

pynetdicom's own provider counts from the begin of the wait, so that a large instance would be late, and sleeps through
an abort by another thread.
"""

from __future__ import annotations

import queue
import time
from typing import TYPE_CHECKING

from pynetdicom.dimse import DIMSEServiceProvider

if TYPE_CHECKING:
    from pynetdicom.association import Association
    from pynetdicom.dimse import _QueueItem
    from pynetdicom.pdu_primitives import P_DATA

_STEP_SECONDS = 0.1


class Waiting(DIMSEServiceProvider):
    """The DIMSE provider of an association: time runs from the last sign of life, and an abort ends every wait."""

    def __init__(self, assoc: Association) -> None:
        super().__init__(assoc)
        self._signs = 0
        #: whether the other side has let a wait run out
        self.late = False

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take fragments (PS3.8 E.2)."""
        self._signs += 1
        super().receive_primitive(primitive)

    def get_msg(self, block: bool = False) -> _QueueItem:
        """The next message, or nothing: when nothing came for so long, or the association has ended."""
        if not block:
            return super().get_msg(block)
        seen, until = -1, 0.0
        while True:
            if seen != self._signs:
                seen, until = self._signs, time.monotonic() + (self.dimse_timeout or 0.0)
            try:
                return self.msg_queue.get(timeout=_STEP_SECONDS)
            except queue.Empty:
                over = self.assoc._sent_abort or self.assoc.acse.is_aborted() or not self.dul.is_alive()
                self.late = not over and seen == self._signs and time.monotonic() >= until
                if over or self.late:
                    return None, None
