"""What can be done with held instances, in one piece: for who wires it up."""

from __future__ import annotations

from dataclasses import dataclass

from proxy.service.ports import Quarantine
from proxy.service.preview import Preview
from proxy.service.replay import Replay


@dataclass(frozen=True, slots=True)
class Keeping:
    """Where they are, another try, and what would become of one."""

    quarantine: Quarantine
    replay: Replay
    preview: Preview
