"""What a site's readers see, made: the embedded archive, a view of an upstream, or an upstream as it is.

With `proxy.app` and `proxy.site` the only module that may import every room. It decides nothing.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from proxy.archive.archive import EmbeddedArchive
from proxy.archive.upstream import ArchiveUpstream
from proxy.audit.trail import AuditLog
from proxy.certificates import Certificates
from proxy.config import Config, Limits
from proxy.config_upstreams import ARCHIVE, ArchiveSource, DicomwebSource, DimseSource, Source
from proxy.deid.profile import Policy
from proxy.deid.release import Keyholder
from proxy.dicomweb.outgoing import trusting
from proxy.dicomweb.upstream import DicomwebUpstream
from proxy.dimse.moving import Arrivals
from proxy.dimse.requestor import Destination
from proxy.dimse.upstream import DimseUpstream, MoveTo
from proxy.errors import ConfigError
from proxy.service.passing import Admission, PassFetch, Passing, PassRetrieve, PassSearch, Unmapped
from proxy.service.readers import Describes, Finds, RetrieveOfProject, Searches, SearchOfProject
from proxy.service.upstream import Upstream
from proxy.service.view import View
from proxy.service.view_describe import ViewDescribe
from proxy.service.view_fetch import AT_ONCE, ViewFetch
from proxy.service.view_known import Known
from proxy.service.view_match import Matches
from proxy.service.view_retrieve import ViewRetrieve
from proxy.service.view_search import ViewSearch
from proxy.store.crosswalk import Crosswalk
from proxy.store.database import Database
from proxy.store.keys import load_key
from proxy.store.view_cache import ViewCache
from proxy.workers.rotation import Rotation


@dataclass(frozen=True, slots=True)
class Parts:
    """What readers need of a running proxy. ``policies`` is the one that a reload replaces: ask it each time."""

    config: Config
    archive: EmbeddedArchive
    audit: AuditLog
    database: Database
    judge: Rotation
    gate: Keyholder
    certificates: Certificates


class Readers:
    """Search and retrieval for every project of a site; what is opened for them is closed by the stack."""

    def __init__(self, parts: Parts, policies: Mapping[str, Policy]) -> None:
        """``policies`` are those in force; give others to `replace_policies`."""
        self._parts, self._policies = parts, policies
        self._upstreams: dict[str, Upstream] = {}
        #: what PACSs send to us because we asked them to, by C-MOVE
        self.arrivals = Arrivals()

    @property
    def destinations(self) -> dict[str, str]:
        """AE titles of ours that C-MOVE names, each with the key that `arrivals` knows it by."""
        sources = self._parts.config.upstreams.items()
        return {
            s.move_ae: arrivals_of(name) for name, s in sources if isinstance(s, DimseSource) and s.move_ae is not None
        }

    def replace_policies(self, policies: Mapping[str, Policy]) -> None:
        """From now on views are made under ``policies``; what is cached of others is not served any more."""
        self._policies = policies

    async def open(self, stack: AsyncExitStack) -> tuple[SearchOfProject, RetrieveOfProject]:
        """Make what the configuration says; `ConfigError` for an upstream that cannot be made."""
        config, parts = self._parts.config, self._parts
        for name in sorted({project.read.source for project in config.projects.values()} - {ARCHIVE}):
            self._upstreams[name] = make_upstream(
                name,
                config.upstreams[name],
                parts.archive,
                self.arrivals,
                parts.certificates.get(f"upstreams.{name}.tls"),
            )
            stack.push_async_callback(self._upstreams[name].close)
        read = {name: project.read for name, project in config.projects.items() if project.read.source != ARCHIVE}
        searches: dict[str, Searches] = {}
        finds: dict[str, Finds] = {}
        describes: dict[str, Describes] = {}
        cache = await self._cache(stack) if read else None
        if cache is not None and (views := [name for name, each in read.items() if each.mode == "view"]):
            search, retrieve, describe = self._views(cache)
            searches |= dict.fromkeys(views, search)
            finds |= dict.fromkeys(views, retrieve)
            describes |= dict.fromkeys(views, describe)
        if cache is not None and (passed := [name for name, each in read.items() if each.mode == "pass"]):
            searches |= dict.fromkeys(passed, PassSearch(lambda project: self._view(project).upstream, parts.audit))
            finds |= dict.fromkeys(passed, self._passed(cache))
        return (
            SearchOfProject(parts.archive, parts.audit, searches),
            RetrieveOfProject(parts.archive, parts.audit, finds, describes),
        )

    async def _cache(self, stack: AsyncExitStack) -> ViewCache:
        config = self._parts.config
        cache = ViewCache(config.data_dir / "cache", self._parts.gate, config.limits.cache_bytes)
        stack.callback(cache.close)
        await cache.open()
        return cache

    def _views(self, cache: ViewCache) -> tuple[ViewSearch, ViewRetrieve, ViewDescribe]:
        parts, limits = self._parts, self._parts.config.limits
        crosswalk, known = Crosswalk(parts.database, load_key(parts.config.node_key_file)), Known()
        matches = Matches(parts.judge, parts.gate)
        fetch = ViewFetch(parts.judge, cache, crosswalk, known, parts.audit, _most_bytes(limits))
        return (
            ViewSearch(self._view, matches, crosswalk, known, parts.audit),
            ViewRetrieve(self._view, fetch, crosswalk, parts.audit),
            ViewDescribe(self._view, parts.judge, fetch, crosswalk, known, parts.audit),
        )

    def _passed(self, cache: ViewCache) -> PassRetrieve:
        parts, projects = self._parts, self._parts.config.projects
        admission = Admission(parts.judge, lambda project: projects[project].read.verify)
        unmapped, limit = Unmapped(), _most_bytes(parts.config.limits)
        fetch = PassFetch(admission, cache, unmapped, Known(), parts.audit, limit)
        return PassRetrieve(lambda project: Passing.of(self._view(project)), fetch, unmapped, parts.audit)

    def _view(self, project: str) -> View:
        source = self._parts.config.projects[project].read.source
        return View(project, self._upstreams[source], self._policies[project])


def _most_bytes(limits: Limits) -> int:
    """Of one instance, so that all that are fetched at once fit into the memory that receiving may take."""
    return min(limits.instance_bytes, limits.memory_bytes // AT_ONCE)


def arrivals_of(name: str) -> str:
    """The key that stands for an upstream's destination of C-MOVE, in the place of a project's name."""
    return f"upstream:{name}"  # no project can be called so


def make_upstream(
    name: str, source: Source, archive: EmbeddedArchive, arrivals: Arrivals, tls: ssl.SSLContext | None
) -> Upstream:
    """The transport of an upstream; ``tls``: what it speaks, where the document says so.

    `ConfigError` for a file that it needs.
    """
    if isinstance(source, ArchiveSource):
        return ArchiveUpstream(name, archive, source.project)
    if isinstance(source, DicomwebSource):
        headers = dict(source.headers)
        if source.authorization_file is not None:
            headers["Authorization"] = authorization(source.authorization_file)
        tls = trusting(source.ca_file) if source.ca_file is not None else tls
        return DicomwebUpstream(name, source.url, headers, source.connections, source.timeout_seconds, tls)
    to = Destination(source.host, source.port, source.called_ae, source.calling_ae, source.timeout_seconds, tls)
    move_to = MoveTo(source.move_ae, arrivals_of(name), arrivals) if source.move_ae is not None else None
    return DimseUpstream(name, to, source.retrieve_seconds, source.associations, move_to)


def authorization(path: Path) -> str:
    """The value of an Authorization header, from a file. `ConfigError` where it cannot be read."""
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(str(path), "the value of an Authorization header cannot be read from it") from None
