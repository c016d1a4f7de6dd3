"""Whatever Schemathesis makes of the OpenAPI document, an answer is one that the document promises, and never a 5xx.

Half of the requests are of the form that the document gives, half of them break it; some name an instance that is
there. ``VEIL_REQUESTS=20000`` for the long run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.openapi import from_dict
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

from proxy.dicomweb.openapi import document
from proxy.dicomweb.resources import RESOURCES
from tests.system import remains
from tests.system.harness import Site
from tests.system.planting import fresh
from tests.system.stow import stow

COUNT = int(os.environ.get("VEIL_REQUESTS", "600"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance]
OPERATIONS = [(method.upper(), path) for path, methods in document("")["paths"].items() for method in methods]
STORE = next(row.takes for row in RESOURCES if row.operation == "store")
#: one run each: as the document says, against it, as it says with the UIDs of an instance that is there
RUNS = 3
EACH = max(COUNT // (len(OPERATIONS) * RUNS), 2)


@schemathesis.serializer(*(media for media in STORE))
def parts(context: Any, value: Any) -> bytes:
    """One part with a preamble, and whatever was thought of."""
    body = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
    return b"--b\r\nContent-Type: application/dicom\r\n\r\n" + bytes(128) + b"DICM" + body + b"\r\n--b--\r\n"


@pytest.fixture(scope="module")
def there(bounded: Site) -> dict[str, str]:
    """The UIDs of an instance in the archive."""
    assert stow(bounded.http_port, fresh().part10).status == 200
    bounded.drain()
    (match, *_) = requests.get(f"{bounded.url}/instances", timeout=10).json()
    named = {"study": "0020000D", "series": "0020000E", "instance": "00080018"}
    return {name: match[tag]["Value"][0] for name, tag in named.items()}


@pytest.fixture(scope="module")
def schema(bounded: Site) -> Any:
    base = bounded.url
    served = requests.get(f"{base}/openapi.json", timeout=10).json()
    assert served == document(base)
    return from_dict(served)


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.hooks["response"].append(lambda response, *_, **__: remains.keep(response.content))
        yield made


def asked(operation: Any, mode: GenerationMode, send: Callable[[Any], None], **fixed: Any) -> None:
    @settings(
        max_examples=EACH, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode, **fixed))
    def run(case: Any) -> None:
        send(case)

    run()


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[f"{method} {path}" for method, path in OPERATIONS])
def test_no_answer_that_nobody_promised(
    schema: Any, there: dict[str, str], bounded: Site, session: requests.Session, method: str, path: str
) -> None:
    operation = schema[path][method]

    def send(case: Any) -> None:
        headers = {"Content-Type": f"{case.media_type}; boundary=b"} if method == "POST" else {}
        response = case.call(base_url=bounded.url, session=session, headers=headers, timeout=20)
        case.validate_response(response, checks=CHECKS)

    known = {name: uid for name, uid in there.items() if f"{{{name}}}" in path}
    asked(operation, GenerationMode.POSITIVE, send)
    if "{" in path or operation.query:
        asked(operation, GenerationMode.NEGATIVE, send)
    asked(operation, GenerationMode.POSITIVE, send, **({"path_parameters": known} if known else {}))
    assert bounded.running
