"""The audit section: the file is always one of the sinks, each has its name, and what is wrong is one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.certificates import every_tls
from proxy.commands.init import write_site
from proxy.config import Config, load_config
from proxy.config_audit import HttpSink
from proxy.errors import ConfigError
from proxy.service.known_peers import UNMET

SYSLOG = {"type": "syslog", "host": "siem.example.org"}
HTTP = {"type": "http", "url": "https://siem.example.org/audit"}


def load(folder: Path, **audit: Any) -> Config:
    path = folder / "veil.yaml"
    if not path.exists():
        write_site(folder)
    document = yaml.safe_load(path.read_text())
    document["audit"] = audit
    path.write_text(yaml.safe_dump(document))
    return load_config(path)


def test_the_file_alone_is_valid(tmp_path: Path) -> None:
    audit = load(tmp_path, sinks=["file"]).audit
    assert (audit.others, audit.retention_days, audit.legal_hold) == ([], None, False)


def test_sinks_with_their_defaults(tmp_path: Path) -> None:
    config = load(tmp_path, sinks=["file", SYSLOG, {**HTTP, "authorization_file": "token"}], retention_days=365)
    syslog, http = config.audit.others
    assert (syslog.name, syslog.port, syslog.transport, syslog.format) == ("syslog", 6514, "tls", "dicom")
    assert (http.name, http.format, http.authorization_file) == ("http", "json", tmp_path / "token")
    assert {"audit.sinks.syslog.tls", "audit.sinks.http.tls"} <= every_tls(config).keys()


def test_in_clear_there_is_no_tls(tmp_path: Path) -> None:
    clear = [{**SYSLOG, "transport": "udp"}, {**HTTP, "url": "http://127.0.0.1:9/"}]
    assert not [where for where in every_tls(load(tmp_path, sinks=["file", *clear])) if where.startswith("audit.")]


@pytest.mark.parametrize(
    ("audit", "said"),
    [
        ({"sinks": []}, "audit.sinks"),
        ({"sinks": [SYSLOG]}, "file must be one of them"),
        ({"sinks": ["file", "file"]}, "file must be one of them"),
        ({"sinks": ["file", SYSLOG, SYSLOG]}, "same name"),
        ({"sinks": ["file", {"type": "syslog"}]}, "host"),
        ({"sinks": ["file", {**SYSLOG, "transport": "tcp"}]}, "transport"),
        ({"sinks": ["file", {**SYSLOG, "format": "otlp"}]}, "format"),
        ({"sinks": ["file", {**SYSLOG, "transport": "udp", "tls": {"ca_file": "ca.pem"}}]}, "transport: tls"),
        ({"sinks": ["file", {**HTTP, "url": "ftp://x"}]}, "url"),
        ({"sinks": ["file", {**HTTP, "url": "http://x", "tls": {"ca_file": "ca.pem"}}]}, "https"),
        ({"sinks": ["file", {**HTTP, "token": "x"}]}, "not known"),
        ({"sinks": ["file"], "retention_days": 0}, "retention_days"),
        ({"sinks": ["file"], "keep": 1}, "not known"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, audit: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(tmp_path, **audit)


NIGHT = {"name": "night", "types": ["retrieved"], "hours": {"from": "19:00", "until": "07:00", "zone": "Europe/Berlin"}}


def test_alert_rules(tmp_path: Path) -> None:
    burst = {"name": "burst", "types": ["held"], "count": 50, "seconds": 600, "by": "project"}
    rules = load(tmp_path, alerts=[burst, NIGHT]).audit.alerts
    assert [(rule.name, rule.count, rule.seconds, rule.by) for rule in rules] == [
        ("burst", 50, 600, "project"), ("night", 1, 60, None),
    ]  # fmt: skip
    assert rules[1].hours is not None
    assert (rules[1].hours.start.hour, rules[1].hours.until.hour, sorted(rules[1].hours.days)) == (
        19, 7, ["sat", "sun"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([NIGHT, NIGHT], "same name"),
        ([NIGHT | {"hours": {"zone": "Mars/Olympus"}}], "time zone"),
        ([NIGHT | {"types": []}], "types"),
        ([NIGHT | {"hours": {"until": 1080}}], "in quotes"),
        ([NIGHT | {"absent": True, "count": 2}], "absent"),
        ([NIGHT | {"absent": True, "by": "peer"}], "absent"),
        ([NIGHT | {"counts": 3}], "counts"),
    ],
)
def test_alert_rules_that_are_none(tmp_path: Path, rules: list[Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load(tmp_path, alerts=rules)


def test_the_alerts_of_the_administration_page_are_rules(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "administration.md").read_text(encoding="utf-8")
    block = page.split("### Alerts")[1].split("```yaml\n")[1].split("```")[0]
    rules = yaml.safe_load(block)["audit"]["alerts"]
    assert [rule.name for rule in load(tmp_path, alerts=rules).audit.alerts] == [rule["name"] for rule in rules]
    assert rules[1]["reasons"] == ["unknown-calling-ae", "wrong-address"]
    assert set(rules[1]["reasons"]) < set(UNMET)


def test_a_sink_of_alerts_only(tmp_path: Path) -> None:
    (pager,) = load(tmp_path, sinks=["file", HTTP | {"types": ["alert"]}]).audit.others
    assert isinstance(pager, HttpSink)
    assert pager.types == ["alert"]
