"""The pages of the console about rules and devices, made of a running proxy. Only wires."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from proxy.audit.lookup import Lookup
from proxy.audit.trail import AuditLog
from proxy.config import Config
from proxy.console.coverage import CoveragePage
from proxy.console.frame import Part
from proxy.console.rules import Rulebook, RulesPages
from proxy.console.trying import TryingPages
from proxy.ruling import Ruling
from proxy.service.coverage import Coverage
from proxy.service.devices import Devices
from proxy.service.effective_rules import EffectiveRules
from proxy.service.ports import Peer
from proxy.service.preview import Preview
from proxy.service.rules_history import RulesHistory
from proxy.service.trying import Trying


def rules_parts(
    config: Config,
    audit: AuditLog,
    ruling: Ruling,
    reload: Callable[[Peer], Coroutine[Any, Any, Mapping[str, str]]],
    devices: Devices,
    preview: Preview,
) -> list[Part]:
    """Rules and devices of every project."""
    history = RulesHistory(Lookup(config.data_dir / "audit", lambda: audit.position.seq))
    rules = EffectiveRules(lambda: ruling.specs, lambda: ruling.policies)
    trying = Trying(preview, audit, lambda project: ruling.policies[project].digest, ruling.candidate)
    pages = TryingPages(rules, trying, config.console.dry_run_mib << 20)
    coverage = Coverage(devices, lambda: ruling.tables.sop_classes)
    return [RulesPages(Rulebook(rules, history, reload)), pages, CoveragePage(coverage, list(config.projects))]
