"""A project whose readers see an identified PACS through Veil: what its search and its retrieval share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from proxy.deid.profile import Policy
from proxy.errors import VeilError
from proxy.service.upstream import Upstream
from proxy.store.crosswalk import Key
from proxy.wire.uri import Target


class TooBroad(VeilError):
    """More than a view can answer at once: 413, ask for less."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One project under one policy and key epoch: nothing that is remembered counts beyond it."""

    project: str
    digest: str
    epoch: int


@dataclass(frozen=True, slots=True)
class View:
    """One project's view as it is just now: whom it asks, and the policy in force."""

    project: str
    upstream: Upstream
    policy: Policy

    @property
    def scope(self) -> Scope:
        """Under what outcomes are remembered."""
        return Scope(self.project, self.policy.digest, self.policy.key_epoch)

    def uid(self, original: str) -> str:
        """What a UID is called in this view."""
        return original if "rtn_uids" in self.policy.options else self.policy.pseudonyms().uid(original)

    def key(self, kind: str, pseudonym: str) -> Key:
        """A row of the crosswalk."""
        return Key(self.project, self.policy.key_epoch, kind, pseudonym)


async def originals_of(view: View, crosswalk: Translations, target: Target) -> dict[str, str] | None:
    """level → original UID of what ``target`` names in pseudonyms; None where one of them was never shown here."""
    pseudonyms = {"study": target.study, "series": target.series, "instance": target.instance}
    keys = {level: view.key(level, uid) for level, uid in pseudonyms.items() if uid}
    known = await crosswalk.get(keys.values())
    return {level: known[key] for level, key in keys.items()} if len(known) == len(keys) else None


class Translations(Protocol):
    """What the view side needs of `proxy.store.crosswalk.Crosswalk`."""

    async def get(self, keys: Iterable[Key]) -> dict[Key, str]:
        """The originals of those that are known."""
        ...

    async def put(self, originals: Mapping[Key, str]) -> None:
        """Remember them."""
        ...


#: project → its view; KeyError for one that has none
Views = Callable[[str], View]
