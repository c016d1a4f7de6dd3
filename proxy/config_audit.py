"""The part of veil.yaml about the audit trail: where records go besides the file, and how long the file is kept.

Models only; `proxy.config` puts them into the document, `proxy.auditing` makes sinks of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from proxy.config_tls import ClientTls, placed
from proxy.config_types import HttpUrl, Name, Seconds, Strict


class SyslogSink(Strict):
    """A receiver of RFC 5424 messages over TLS (RFC 5425), or over UDP (RFC 5426), which may lose some."""

    type: Literal["syslog"]
    name: Name = "syslog"
    host: Annotated[str, Field(min_length=1, max_length=253)]
    port: Annotated[int, Field(ge=1, le=65535)] = 6514
    transport: Literal["tls", "udp"] = "tls"
    format: Literal["dicom", "fhir", "cef", "ocsf"] = "dicom"
    max_bytes: Annotated[int, Field(ge=2048, le=65_000)] = 8192
    tls: ClientTls = ClientTls()

    @model_validator(mode="after")
    def _encrypted(self) -> SyslogSink:
        if self.transport == "udp" and self.tls != ClientTls():
            raise ValueError("tls is for transport: tls")
        return self


class HttpSink(Strict):
    """A collector that takes batches by POST."""

    type: Literal["http"]
    name: Name = "http"
    url: HttpUrl
    format: Literal["json", "fhir", "cef", "ocsf", "otlp"] = "json"
    headers: dict[str, str] = Field(default_factory=dict)
    authorization_file: Path | None = None
    types: list[Name] = Field(default_factory=list)
    batch: Annotated[int, Field(ge=1, le=5000)] = 500
    timeout_seconds: Seconds = 30.0
    tls: ClientTls = ClientTls()

    @model_validator(mode="after")
    def _encrypted(self) -> HttpSink:
        if self.tls != ClientTls() and not self.url.startswith("https:"):
            raise ValueError("tls is for a url that begins with https")
        return self

    @property
    def encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return self.url.startswith("https:")


def _type(value: object) -> object:
    """Which kind of sink is meant: a word, or a mapping that names its type."""
    return value.get("type") if isinstance(value, dict) else getattr(value, "type", value)


Sink = Annotated[
    Annotated[Literal["file"], Tag("file")] | Annotated[SyslogSink, Tag("syslog")] | Annotated[HttpSink, Tag("http")],
    Discriminator(_type, custom_error_type="sink", custom_error_message="a sink is file, or its type: syslog or http"),
]


def _zone(name: str) -> str:
    try:
        if name != "UTC":  # which is there on machines without a table of zones, too
            ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError("no such time zone; one is called like Europe/Berlin") from None
    return name


def _quoted(value: object) -> object:
    """YAML takes 18:00 for the number 1080, which would be 18 minutes past midnight."""
    if isinstance(value, int | float):
        raise ValueError('a time of day is written in quotes: "18:00"')
    return value


TimeOfDay = Annotated[time, BeforeValidator(_quoted)]


class Hours(Strict):
    """Times at which nobody should be there: from one time of day to the other, and on whole days."""

    start: Annotated[TimeOfDay, Field(alias="from")] = time(19)
    until: TimeOfDay = time(7)
    days: frozenset[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = frozenset({"sat", "sun"})
    zone: Annotated[str, AfterValidator(_zone)] = "UTC"


class AlertRule(Strict):
    """``count`` records of ``types`` within ``seconds`` are an alert; ``absent``: that there was not one."""

    name: Name
    types: list[Name] = Field(min_length=1)
    outcome: Literal["success", "failure"] | None = None
    projects: list[str] = Field(default_factory=list)
    reasons: list[str] = Field(default_factory=list)
    peers: list[str] = Field(default_factory=list)
    absent: bool = False
    count: Annotated[int, Field(ge=1, le=100_000)] = 1
    seconds: Annotated[int, Field(ge=1, le=86_400)] = 60
    by: Literal["peer", "project"] | None = None
    hours: Hours | None = None

    @model_validator(mode="after")
    def _none_is_one(self) -> AlertRule:
        if self.absent and (self.count != 1 or self.by is not None):
            raise ValueError("absent: who did not come cannot be counted; leave count and by out, and name peers")
        return self


class Audit(Strict):
    """The file sink is the source of truth; the others read from it. Without a key no checkpoint is signed."""

    key_file: Path | None = None
    key_epoch: Annotated[int, Field(ge=1)] = 1
    sinks: list[Sink] = Field(default=["file"], min_length=1)
    segment_mib: Annotated[int, Field(ge=1, le=1024)] = 64
    retention_days: Annotated[int, Field(ge=1)] | None = None
    legal_hold: bool = False
    witness_notes: Path | None = None
    verify_hours: Annotated[int, Field(ge=1, le=8760)] | None = 24
    alerts: list[AlertRule] = Field(default_factory=list)

    @model_validator(mode="after")
    def _of_record(self) -> Audit:
        if self.sinks.count("file") != 1:
            raise ValueError("sinks: file must be one of them, once: it is the source of truth, and the others read it")
        names = [sink.name for sink in self.others]
        if len({rule.name for rule in self.alerts}) != len(self.alerts):
            raise ValueError("alerts: two of them have the same name")
        if len(set(names)) != len(names):
            raise ValueError("sinks: two of them have the same name; each keeps its place in the log under its name")
        return self

    @property
    def others(self) -> list[SyslogSink | HttpSink]:
        """The sinks besides the file."""
        return [sink for sink in self.sinks if not isinstance(sink, str)]


def audit_tls(audit: Audit) -> Iterator[tuple[str, ClientTls]]:
    """TLS of each sink that speaks it, by its place."""
    for sink in audit.others:
        if sink.transport == "tls" if isinstance(sink, SyslogSink) else sink.encrypted:
            yield f"audit.sinks.{sink.name}.tls", sink.tls


def audit_at(audit: Audit, base: Path) -> Audit:
    """``audit`` with its paths relative to ``base``."""
    sinks = [s if isinstance(s, str) else _placed(s, base) for s in audit.sinks]
    key, notes = (None if path is None else base / path for path in (audit.key_file, audit.witness_notes))
    return audit.model_copy(update={"sinks": sinks, "key_file": key, "witness_notes": notes})


def _placed(sink: SyslogSink | HttpSink, base: Path) -> SyslogSink | HttpSink:
    update: dict[str, object] = {"tls": placed(sink.tls, base)}
    if isinstance(sink, HttpSink) and sink.authorization_file is not None:
        update["authorization_file"] = base / sink.authorization_file
    return sink.model_copy(update=update)
