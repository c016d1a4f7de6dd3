"""The rules in force: read at the start, and replaced by those on disk while the proxy runs. Only wires.

All or nothing: what is wrong with one file leaves the old rules in force for every project.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace

from proxy.config import Config
from proxy.deid.dictionary import register
from proxy.deid.profile import Policy, compile_policy
from proxy.errors import VeilError
from proxy.service.events import rules_changed
from proxy.service.ports import AuditTrail, Peer
from proxy.site import compile_policies, load_specs, make_pool
from proxy.store.candidate import read_candidate
from proxy.store.rulebook import load_pixel_rules, load_tables
from proxy.workers.begun import Begun
from proxy.workers.pool import WorkerPool
from proxy.workers.rotation import Rotation


class Ruling:
    """``specs``: what each project asks for, as it was read; ``policies``: that, compiled."""

    def __init__(self, config: Config, gate_key: bytes) -> None:
        """`ConfigError` for a key, profile or rules file that is wrong."""
        self._config, self._gate_key, self._reloading = config, gate_key, asyncio.Lock()
        self.tables = load_tables()
        register(self.tables.attributes)  # the archive reads attributes that pydicom's dictionary lacks
        self.specs = load_specs(config)
        self.policies = compile_policies(self.specs, self.tables)

    def pool(self, begun: list[Begun]) -> WorkerPool:
        """Workers for these rules, not started; they take processes out of ``begun`` as far as there are any."""
        return make_pool(self._config, self.policies, self._gate_key, self.tables, begun)

    def candidate(self, project: str, text: bytes) -> Policy:
        """The policy of ``project`` with the profile in ``text`` instead of its own; it takes no effect. Blocks.

        Device rules are those on disk. `ConfigError` for what a start would refuse, too.
        """
        profile = read_candidate(text, site=self._config.profiles_dir)
        devices = load_pixel_rules(profile, site=self._config.pixel_rules_dir)
        return compile_policy(self.tables, replace(self.specs[project], profile=profile, pixel_rules=devices))

    async def reload(
        self, audit: AuditTrail, judge: Rotation, took: Callable[[Mapping[str, Policy]], None], peer: Peer
    ) -> dict[str, str]:
        """Take rules and profiles as they are on disk now; project → policy digest. ``took`` is told the new ones.

        `ConfigError` or `WorkersUnavailable` leaves the old rules in force. Either way ``peer`` is on record.
        Instances under way are finished under the rules they began with. veil.yaml itself is not read again.
        """
        async with self._reloading:
            before = {name: policy.digest for name, policy in self.policies.items()}
            try:
                tables, specs = load_tables(), load_specs(self._config)
                policies = compile_policies(specs, tables)
                pool = make_pool(self._config, policies, self._gate_key, tables)
                await pool.start()
            except VeilError as error:
                await audit.record(rules_changed(peer, before, before, str(error)[:300]))
                raise
            digests = {name: policy.digest for name, policy in policies.items()}
            async with AsyncExitStack() as undo:
                undo.push_async_callback(pool.close)
                await audit.record(rules_changed(peer, before, digests))
                undo.pop_all()  # on record: from here on these are the rules
            self.tables, self.specs, self.policies = tables, specs, policies
            took(policies)
            await judge.replace(pool)
            return digests
