"""The part of veil.yaml about where C-MOVE may send to: AE titles, where they are, and which project may name them.

Models and what must be consistent in them; `proxy.config` puts them into the document.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from proxy.config_tls import ClientTls, placed
from proxy.config_types import AeTitle, Seconds, Strict


class MoveDestination(Strict):
    """A workstation or PACS that takes C-STORE. ``calling_ae``: as whom we send, if not as the one that was called."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)]
    calling_ae: AeTitle | None = None
    tls: ClientTls | None = None
    timeout_seconds: Seconds = 30.0


MoveDestinations = dict[AeTitle, MoveDestination]


def moves(named: Mapping[str, Iterable[str]], known: Mapping[str, MoveDestination]) -> Iterator[str]:
    """What is wrong with the ``move_destinations`` of projects, ``named`` by them."""
    for name, titles in named.items():
        for title in set(titles) - known.keys():
            yield f"projects.{name}.move_destinations: no move destination is called '{title}'"


def moves_at(found: MoveDestinations, base: Path) -> MoveDestinations:
    """``found`` with its paths relative to ``base``."""
    return {title: each.model_copy(update={"tls": placed(each.tls, base)}) for title, each in found.items()}
