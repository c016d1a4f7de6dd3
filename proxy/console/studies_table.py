"""Studies as CSV (RFC 4180), one row for each study and destination. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from proxy.service.reconcile import Balance, Delivery

HEAD = (
    "project", "study_instance_uid", "first", "last", "received", "sent_again", "released", "held", "purged",
    "destination", "delivered", "waiting", "failed", "adds_up",
)  # fmt: skip
#: a spreadsheet takes a cell that begins so for a formula
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NOWHERE = Delivery("", 0, 0, 0, 0)


def table(balances: Iterable[Balance]) -> str:
    """With a line of names above. No cell is taken for a formula."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(HEAD)
    for balance in balances:
        for delivery in balance.deliveries or (_NOWHERE,):
            writer.writerow([harmless(str(cell)) for cell in _row(balance, delivery)])
    return text.getvalue()


def harmless(cell: str) -> str:
    """``cell``, which no spreadsheet computes."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _row(b: Balance, d: Delivery) -> Sequence[object]:
    moments = (datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") for at in (b.first_at, b.last_at))
    adds_up = "forgotten" if b.forgotten else "yes" if b.adds_up else "no"
    counts = (b.received, b.again, b.released, b.held, b.purged)
    return (b.project, b.uid, *moments, *counts, d.destination, d.delivered, d.waiting, d.failed, adds_up)
