"""The parts of veil.yaml about the read side: the PACSs that are asked, and what a project's readers read.

Models and what must be consistent between them; `proxy.config` puts them into the document.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from proxy.config_destinations import ApplicationEntity, WebPacs
from proxy.config_types import AeTitle, Name, Seconds, Strict

#: What `read.from` says where nothing is asked.
ARCHIVE = "archive"


class ArchiveSource(Strict):
    """What the embedded archive keeps of another project."""

    type: Literal["archive"]
    project: Name


class DicomwebSource(WebPacs):
    """A PACS that answers QIDO-RS and WADO-RS."""

    type: Literal["dicomweb"]
    authorization_file: Path | None = None
    ca_file: Path | None = None
    connections: Annotated[int, Field(ge=1, le=64)] = 8
    timeout_seconds: Seconds = 30.0

    @model_validator(mode="after")
    def _one_trust(self) -> DicomwebSource:
        if self.tls is not None and self.ca_file is not None:
            raise ValueError("ca_file: say it in tls")
        return self


class DimseSource(ApplicationEntity):
    """A PACS that answers C-FIND, and C-GET or C-MOVE to ``move_ae``, an AE title of ours on the port of `dimse`."""

    type: Literal["dimse"]
    retrieve: Literal["get", "move"] = "get"
    move_ae: AeTitle | None = None
    retrieve_seconds: Seconds = 300.0

    @model_validator(mode="after")
    def _destination(self) -> DimseSource:
        if (self.retrieve == "move") != (self.move_ae is not None):
            raise ValueError("retrieve: move needs move_ae, the AE title that the PACS sends to, and get has none")
        return self


Source = Annotated[ArchiveSource | DicomwebSource | DimseSource, Field(discriminator="type")]


class Read(Strict):
    """What a project's readers see: the embedded archive, an upstream de-identified in flight, or one as it is."""

    source: Name = Field(default=ARCHIVE, alias="from")
    mode: Literal["view", "pass"] = "pass"
    verify: bool = True


def reads(name: str, read: Read, sources: Mapping[str, Source]) -> Iterator[str]:
    """What is wrong with the ``read`` section of project ``name``."""
    if read.source == ARCHIVE:
        if read.mode == "view":
            yield f"projects.{name}.read: what the archive keeps is de-identified; mode: view is for an upstream"
        return
    source = sources.get(read.source)
    if source is None:
        yield f"projects.{name}.read.from: no upstream is called '{read.source}'"
    elif isinstance(source, ArchiveSource) and source.project == name:
        yield f"projects.{name}.read.from: '{read.source}' is this project's own archive; say from: archive"


def sources(found: Mapping[str, Source], projects: Iterable[str], titles: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with the ``upstreams`` section; ``titles``: AE title → project."""
    if ARCHIVE in found:
        yield f"upstreams.{ARCHIVE}: this name is taken"
    mine: dict[str, str] = {}
    for name, source in found.items():
        if isinstance(source, ArchiveSource) and source.project not in projects:
            yield f"upstreams.{name}.project: no project is called '{source.project}'"
        if isinstance(source, DimseSource) and source.move_ae is not None:
            taken = titles.get(source.move_ae) or mine.get(source.move_ae)
            mine[source.move_ae] = name
            if taken:
                yield f"upstreams.{name}.move_ae: '{source.move_ae}' already selects '{taken}'"
