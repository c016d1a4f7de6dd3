"""veil.yaml as pydantic models. An unknown key, a bad value or a missing file stops the start with one clear line.

Paths in the document are relative to the document. Nothing here opens a key: see `proxy.store.keys`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, StringConstraints, ValidationError, model_validator

from proxy.config_audit import Audit, audit_at
from proxy.config_clinical import ClinicalSystem, CommitmentReports, clinical, clinical_at, reports_at
from proxy.config_console import Console, console, console_at
from proxy.config_destinations import Destination, EncryptOriginals, IdentityDrawer, destination_at
from proxy.config_listening import Dimse, Http, dimse_at, exposed, http_at
from proxy.config_moves import MoveDestinations, moves, moves_at
from proxy.config_peers import Peer, peers
from proxy.config_tls import placed
from proxy.config_types import AeTitle, Name, Strict
from proxy.config_upstreams import ArchiveSource, DicomwebSource, DimseSource, Read, Source, reads, sources
from proxy.errors import ConfigError

_RESERVED_PATHS = {"livez", "readyz", "metrics", "console", "viewer", "audit"}


class Limits(Strict):
    """Bounds that hold for every sender."""

    instance_bytes: Annotated[int, Field(ge=1 << 20)] = 4 << 30
    inflated_bytes: Annotated[int, Field(ge=1 << 20)] = 1 << 30
    inflate_ratio: Annotated[int, Field(ge=2)] = 100
    nesting_depth: Annotated[int, Field(ge=1, le=64)] = 32
    elements: Annotated[int, Field(ge=100)] = 200_000
    spool_bytes: Annotated[int, Field(ge=1 << 20)] = 100 << 30
    quarantine_bytes: Annotated[int, Field(ge=1 << 20)] = 50 << 30
    cache_bytes: Annotated[int, Field(ge=1 << 20)] = 20 << 30
    memory_bytes: Annotated[int, Field(ge=16 << 20)] = 6 << 30
    history_days: Annotated[int, Field(ge=1, le=36_500)] = 90


class Workers(Strict):
    """De-identification processes; 0 takes one per core. Memory and seconds are for one instance."""

    count: Annotated[int, Field(ge=0, le=64)] = 0
    memory_mib: Annotated[int, Field(ge=256)] = 2048
    seconds: Annotated[float, Field(gt=0)] = 60.0

    @property
    def processes(self) -> int:
        """How many there are on this machine."""
        return self.count or os.cpu_count() or 1


class Project(Strict):
    """A pseudonymisation domain: AE titles, URL path, profile, key and destinations."""

    ae_titles: list[AeTitle] = Field(min_length=1)
    path: Name
    profile: Name = "research"
    key_file: Path
    key_epoch: Annotated[int, Field(ge=1)] = 1
    patient_id_prefix: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9-]{0,16}$")] = ""
    blank_patient_id: Literal["hold", "per-study"] = "hold"
    uninspected_pixels: Literal["hold", "forward"] = "hold"
    held_answer: Literal["accept", "refuse"] = "accept"
    storage_commitment: Literal["answer", "off"] = "answer"
    clinical: Name | None = None
    date_shift_days: Annotated[int, Field(ge=1, le=36500)] = 365
    encrypt_originals: EncryptOriginals | None = None
    identity_drawer: IdentityDrawer | None = None
    identity: Literal["optional", "required"] = "optional"
    destinations: list[Name] = Field(min_length=1)
    move_destinations: list[AeTitle] = Field(default_factory=list)
    transcode: Literal["never", "lossless"] = "never"
    read: Read = Read()


class Config(Strict):
    """The whole document."""

    version: Literal[1]
    data_dir: Path = Path("data")
    node_key_file: Path
    profiles_dir: Path = Path("profiles")
    pixel_rules_dir: Path = Path("pixels")
    insecure_network: bool = False
    dimse: Dimse = Dimse()
    http: Http = Http()
    limits: Limits = Limits()
    workers: Workers = Workers()
    audit: Audit = Audit()
    console: Console = Console()
    destinations: dict[Name, Destination] = Field(min_length=1)
    upstreams: dict[Name, Source] = Field(default_factory=dict)
    move_destinations: MoveDestinations = Field(default_factory=dict)
    peers: dict[Name, Peer] = Field(default_factory=dict)
    commitment_reports: CommitmentReports = CommitmentReports()
    clinical: dict[Name, ClinicalSystem] = Field(default_factory=dict)
    projects: dict[Name, Project] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Config:
        titles: dict[str, str] = {}
        paths: dict[str, str] = {}
        for name, project in self.projects.items():
            for destination in project.destinations:
                if destination not in self.destinations:
                    raise ValueError(f"projects.{name}.destinations: no destination is called '{destination}'")
            for title in project.ae_titles:
                if titles.setdefault(title, name) != name:
                    raise ValueError(f"projects.{name}.ae_titles: '{title}' already selects project '{titles[title]}'")
            if project.path in _RESERVED_PATHS or paths.setdefault(project.path, name) != name:
                raise ValueError(f"projects.{name}.path: '{project.path}' is taken")
        for problem in (*self._problems(), *sources(self.upstreams, self.projects, titles)):
            raise ValueError(problem)
        return self

    def _problems(self) -> Iterator[str]:
        moving = [n for n, s in self.upstreams.items() if isinstance(s, DimseSource) and s.move_ae is not None]
        yield from peers(self.peers, self.dimse.host, self.dimse.tls, self.projects, moving)
        yield from moves({n: p.move_destinations for n, p in self.projects.items()}, self.move_destinations)
        yield from clinical({n: p.clinical for n, p in self.projects.items()}, self.clinical, bool(self.peers))
        yield from console(self.console, self.http.public_url, self.projects)
        if not self.insecure_network:
            yield from exposed(self.dimse, self.http, self.peers)
        for name, project in self.projects.items():
            yield from reads(name, project.read, self.upstreams)
            if project.identity == "required" and self.http.auth is None:
                yield f"projects.{name}.identity: nobody could be known: http.auth names no tokens and no provider"


def load_config(path: Path) -> Config:
    """Read, validate and resolve ``path``; raises `ConfigError` with the place in the document."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(str(path), error.strerror or "cannot be read", "write one with: veil init DIR") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "document"
        raise ConfigError(str(path), f"{line}: not valid YAML") from None
    if not isinstance(document, dict):
        raise ConfigError(str(path), "the document is not a mapping", "write one with: veil init DIR")
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        raise _one_line(path, error) from None
    return _resolved(config, path.resolve().parent)


def _one_line(path: Path, error: ValidationError) -> ConfigError:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    problem = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        problem = "this key is not known"
    more = error.error_count() - 1
    return ConfigError(f"{path}: {where}" if where else str(path), problem, f"and {more} more" if more else "")


def _project(project: Project, base: Path) -> Project:
    update: dict[str, object] = {"key_file": base / project.key_file}
    if project.encrypt_originals is not None:
        files = [base / each for each in project.encrypt_originals.certificates]
        update["encrypt_originals"] = EncryptOriginals(certificates=files)
    if project.identity_drawer is not None:
        people = {name: base / each for name, each in project.identity_drawer.officers.items()}
        update["identity_drawer"] = project.identity_drawer.model_copy(update={"officers": people})
    return project.model_copy(update=update)


def _source(source: Source, base: Path) -> Source:
    if isinstance(source, ArchiveSource):
        return source
    update: dict[str, object] = {"tls": placed(source.tls, base)}
    if isinstance(source, DicomwebSource):
        files = {"authorization_file": source.authorization_file, "ca_file": source.ca_file}
        update |= {key: base / file for key, file in files.items() if file is not None}
    return source.model_copy(update=update)


def _resolved(config: Config, base: Path) -> Config:
    projects = {n: _project(p, base) for n, p in config.projects.items()}
    upstreams = {n: _source(s, base) for n, s in config.upstreams.items()}
    update = {
        "data_dir": base / config.data_dir,
        "node_key_file": base / config.node_key_file,
        "profiles_dir": base / config.profiles_dir,
        "pixel_rules_dir": base / config.pixel_rules_dir,
        "dimse": dimse_at(config.dimse, base),
        "audit": audit_at(config.audit, base),
        "console": console_at(config.console, base),
        "http": http_at(config.http, base),
        "commitment_reports": reports_at(config.commitment_reports, base),
        "clinical": clinical_at(config.clinical, base),
        "move_destinations": moves_at(config.move_destinations, base),
        "destinations": {n: destination_at(d, base) for n, d in config.destinations.items()},
        "projects": projects,
        "upstreams": upstreams,
    }
    return config.model_copy(update=update)
