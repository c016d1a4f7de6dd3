"""The plots of the overview: what went in and out of the projects that somebody sees. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from proxy.console.plot import Plot, Times, plot, small
from proxy.service.callers import Caller
from proxy.service.flow import DELIVERED, HELD, RECEIVED, REFUSED, REJECTED, RELEASED, Window

#: how long a plot reaches back: minutes of a step, steps, words
SPANS = {"day": (30, 48, "Last 24 hours"), "hour": (1, 60, "Last hour")}
_WORDS = {
    RECEIVED: "Received", RELEASED: "De-identified", DELIVERED: "Delivered", HELD: "Held", REFUSED: "Refused",
    REJECTED: "Rejected by destination",
}  # fmt: skip
#: what better never happens
_WARNS = frozenset({HELD, REFUSED, REJECTED})


def flow_seen(window: Window, caller: Caller, projects: Sequence[str], destinations: Sequence[str]) -> dict[str, Any]:
    """The values of the template: plots of all together, by project and by destination."""
    times = Times(window.start, window.minutes, window.steps)
    columns = {kind: _sum(window, caller, kind) for kind in _WORDS}

    def row(name: str, kinds: Iterable[str], number: int, **of: str) -> list[Plot]:
        """``number``: of the row, so that every plot has a name of its own."""
        return [
            small(
                f"{kind}-{number}", f"{_WORDS[kind]}, {name}", _sum(window, caller, kind, **of), times, kind in _WARNS
            )
            for kind in kinds
        ]

    return {
        "plots": [plot(kind, _WORDS[kind], counts, times, kind in _WARNS) for kind, counts in columns.items()],
        "columns": list(_WORDS.values()),
        "steps": [(times.at(n), [counts[n] for counts in columns.values()]) for n in range(times.steps)],
        "minutes": times.minutes,
        "by_project": [(name, row(name, _WORDS, n, project=name)) for n, name in enumerate(projects)],
        "by_destination": {
            name: row(name, [DELIVERED], n, destination=name)[0] for n, name in enumerate(destinations, len(projects))
        },
        "since": f"{window.known:%H:%M}" if window.known > window.start else "",
    }


def _sum(window: Window, caller: Caller, kind: str, **of: str) -> list[int]:
    """Of each step: what somebody sees of a kind. ``of``: members of the key, as `Key` calls them."""
    series = [
        counts
        for key, counts in window.counts.items()
        if key.kind == kind
        and caller.sees(key.project)
        and all(getattr(key, name) == value for name, value in of.items())
    ]
    return [sum(step) for step in zip(*series, strict=True)] or [0] * window.steps
