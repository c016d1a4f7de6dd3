"""The part of veil.yaml about where de-identified instances go: an archive, PACSs by DIMSE or by DICOMweb.

Models only; `proxy.config` puts them into the document.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from proxy.config_tls import ClientTls, placed
from proxy.config_types import AeTitle, HttpUrl, Name, Seconds, Strict


class ApplicationEntity(Strict):
    """A PACS that speaks DIMSE, and as whom we speak to it."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)]
    called_ae: AeTitle
    calling_ae: AeTitle = "VEIL"
    tls: ClientTls | None = None
    associations: Annotated[int, Field(ge=1, le=32)] = 4
    timeout_seconds: Seconds = 30.0


class EncryptOriginals(Strict):
    """Original values go along, encrypted to each of these certificates (PEM); only their owners can read them."""

    certificates: list[Path] = Field(min_length=1)


class IdentityDrawer(Strict):
    """Whose an instance was is kept for these officers (certificates in PEM, P-256), of whom any two can read it."""

    officers: dict[Name, Path] = Field(min_length=2, max_length=16)
    requests_per_day: Annotated[int, Field(ge=1, le=100)] = 5
    hours: Annotated[int, Field(ge=1, le=168)] = 24
    exports_per_day: Annotated[int, Field(ge=0, le=100)] = 1
    patients_per_export: Annotated[int, Field(ge=1, le=1000)] = 200


class ArchiveDestination(Strict):
    """The embedded archive, which QIDO-RS and WADO-RS read."""

    type: Literal["archive"]


class DimseDestination(ApplicationEntity):
    """A PACS that takes C-STORE. ``transcode``: what it may be sent in place of what it does not take."""

    type: Literal["dimse"]
    transcode: Literal["never", "lossless"] = "never"


class WebPacs(Strict):
    """A PACS that speaks DICOMweb; ``url`` is the base to which ``/studies`` is appended."""

    url: HttpUrl
    headers: dict[str, str] = Field(default_factory=dict)
    tls: ClientTls | None = None

    @model_validator(mode="after")
    def _encrypted(self) -> WebPacs:
        if self.tls is not None and not self.url.startswith("https:"):
            raise ValueError("tls is for a url that begins with https")
        return self


class DicomwebDestination(WebPacs):
    """A PACS that takes STOW-RS."""

    type: Literal["dicomweb"]
    timeout_seconds: Seconds = 60.0


Destination = Annotated[ArchiveDestination | DimseDestination | DicomwebDestination, Field(discriminator="type")]


def destination_at(destination: Destination, base: Path) -> Destination:
    """``destination`` with its paths relative to ``base``."""
    if isinstance(destination, ArchiveDestination):
        return destination
    return destination.model_copy(update={"tls": placed(destination.tls, base)})
