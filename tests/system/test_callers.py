"""A whole site that asks who calls: tokens are made and revoked while the proxy runs, and the trail names callers."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Callable

from tests.system import remains
from tests.system.harness import REPOSITORY, Site
from tests.system.planting import fresh
from tests.system.stow import CONTENT_TYPE, PATH, multipart

CLIENT = "203.0.113.9"


def make_token(site: Site, name: str, *scopes: str) -> str:
    """`veil token new`; the token must stand in no file of the site from now on."""
    options = [part for scope in scopes for part in ("--scope", scope)]
    verb = [sys.executable, "-m", "proxy.cli", "token", "new", "-c", str(site.config), "--name", name, *options]
    done = subprocess.run(verb, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    token = done.stdout.strip()
    site.secrets.add(token)
    return token


def ask(site: Site, method: str, path: str, token: str = "", body: bytes = b"") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", site.http_port, timeout=60)
    headers = {"X-Forwarded-For": CLIENT, "Accept": "application/dicom+json"}
    headers |= {"Content-Type": CONTENT_TYPE} if body else {}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        status, said = answer.status, answer.read()
        remains.keep(said, clinical=method == "POST")
        return status, said
    finally:
        connection.close()


def test_callers_of_a_running_site(make_site: Callable[..., Site]) -> None:
    site = make_site(changes={"http.auth": {"tokens_file": "keys/tokens.yaml"}, "http.trusted_hops": ["127.0.0.1/32"]})
    sender = make_token(site, "sender", "research:store")
    site.start()
    assert ask(site, "POST", PATH, body=multipart([fresh().part10]))[0] == 401
    status, _ = ask(site, "POST", PATH, sender, multipart([fresh().part10]))
    assert status == 200
    site.drain()
    reader = make_token(site, "reader", "research:search", "research:audit")
    status, found = ask(site, "GET", PATH, reader)
    assert (status, len(json.loads(found))) == (200, 1)
    assert ask(site, "GET", PATH, sender)[0] == 403
    assert ask(site, "GET", "/dicomweb/other/studies", reader)[0] == 404
    log = "/audit/events?accept=application/json&type=released&type=started"
    status, found = ask(site, "GET", log, reader)
    assert (status, [each["type"] for each in json.loads(found)["records"]]) == (200, ["released"])
    assert ask(site, "GET", log, sender)[0] == 403
    assert site.veil("token", "revoke", "reader", "-c", str(site.config)).returncode == 0
    assert ask(site, "GET", PATH, reader)[0] == 401
    assert site.stop() == 0
    paths = sorted((site.data / "audit").glob("*.jsonl"))
    records = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    said = [
        (record["type"], record["peer"].get("caller"), record["peer"]["address"], record.get("reason", ""))
        for record in records
        if record.get("peer")
    ]
    changes = [r["object"] for r in records if r["type"] == "callers-changed"]
    assert [(list(each["added"]), each["removed"]) for each in changes] == [
        (["sender"], []), (["reader"], []), ([], ["reader"])
    ]  # fmt: skip
    assert ("denied", None, CLIENT, "no-token") in said
    assert ("received", "token:sender", CLIENT, "") in said
    assert ("released", "token:sender", CLIENT, "") in said
    assert ("query", "token:reader", CLIENT, "") in said
    assert ("denied", "token:sender", CLIENT, "insufficient-scope") in said
    assert ("denied", "token:reader", CLIENT, "no-such-project") in said
    assert ("denied", None, CLIENT, "unknown-token") in said
