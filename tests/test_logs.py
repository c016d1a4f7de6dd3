"""A log line says what it may and nothing else."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import pickle
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from proxy import logs
from proxy.errors import InstanceHeld, Reason
from proxy.logs import Phi

NAME = "SMITH^JOHN"


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    for owner, name in ((warnings, "showwarning"), (sys, "excepthook"), (sys, "unraisablehook")):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    silenced = {name: logging.getLogger(name) for name in ("pydicom", "pynetdicom")}
    before = {name: (log.handlers[:], log.propagate, log.level) for name, log in silenced.items()}
    stream = io.StringIO()
    logs.configure(stream, json=True)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, log in silenced.items():
        log.handlers[:], log.propagate = before[name][:2]
        log.setLevel(before[name][2])


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_known_fields_pass_and_unknown_ones_are_dropped(out: io.StringIO) -> None:
    logs.get_logger("ingest").info("instance-held", project="research", reason=Reason.TOO_DEEP, patient_name=NAME)
    (line,) = lines(out)
    assert line["event"] == "instance-held"
    assert (line["room"], line["level"], line["reason"]) == ("ingest", "info", "nesting-too-deep")
    assert set(line) == {"event", "level", "timestamp", "room", "project", "reason"}


def test_an_exceptions_text_shows_only_where_it_is_ours(out: io.StringIO) -> None:
    log = logs.get_logger("x")
    try:
        raise ValueError(NAME)
    except ValueError as error:
        log.error("a", error=error)
        log.exception("b")
        log.error("c", exc_info=error)
        log.error("d", exc_info=sys.exc_info())
    log.error("e", error=InstanceHeld(Reason.TOO_DEEP, "40 levels"))
    assert NAME not in out.getvalue()
    *foreign, ours = lines(out)
    assert [line["error"] for line in foreign] == ["ValueError"] * 4
    assert ours["detail"] == "nesting-too-deep: 40 levels"


@pytest.mark.parametrize("value", [Phi(NAME), [NAME], {"a": NAME}, NAME.encode(), ValueError(NAME)])
def test_what_is_no_plain_value_is_reduced(out: io.StringIO, value: object) -> None:
    logs.get_logger("x").info("a", detail=value)
    assert NAME not in out.getvalue()
    assert len(lines(out)) == 1


def test_a_line_stays_one_line_and_short(out: io.StringIO) -> None:
    logs.get_logger("x").info("a", calling_ae="A\n\x1b[2J\x9b" + "B" * 1000)
    (line,) = lines(out)
    assert len(line["calling_ae"]) == 300
    assert line["calling_ae"].isprintable()


def test_other_libraries_say_only_where(out: io.StringIO) -> None:
    logging.getLogger("aiohttp.server").error("Error handling %s", NAME)
    logging.getLogger("aiohttp.access").info(NAME)
    logging.getLogger("aiohttp.access").log(33, NAME)
    for name in ("pydicom", "pynetdicom", "pynetdicom.acse", "pynetdicom.dimse"):
        logging.getLogger(name).critical(NAME)
    assert NAME not in out.getvalue()
    assert [(line["library"], line["level"]) for line in lines(out)] == [
        ("aiohttp.server", "error"),
        ("aiohttp.access", "warning"),
    ]


def test_warnings_say_only_where(out: io.StringIO) -> None:
    warnings.showwarning(UserWarning(NAME), UserWarning, "values.py", 7)
    (line,) = lines(out)
    assert (line["category"], line["where"]) == ("UserWarning", "values.py:7")
    assert NAME not in out.getvalue()


def test_unhandled_exceptions_say_only_where(out: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise KeyError(NAME)
    except KeyError as error:
        sys.excepthook(KeyError, error, error.__traceback__)

    def fail() -> None:
        raise KeyError(NAME)

    threading.excepthook, kept = logs._thread_ended, threading.excepthook
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    threading.excepthook = kept

    async def lost() -> None:
        task = asyncio.ensure_future(_raise())
        await asyncio.sleep(0.01)
        assert task.done()
        del task

    asyncio.run(lost())
    assert [line["event"] for line in lines(out)] == ["unhandled-exception", "thread-ended", "library-record"]
    captured = capsys.readouterr()
    assert NAME not in out.getvalue() + captured.err + captured.out


async def _raise() -> None:
    raise KeyError(NAME)


def test_a_console_line_holds_no_more_than_a_json_line() -> None:
    stream = io.StringIO()
    logs._configure_structlog(stream, False, "info")
    try:
        raise ValueError(NAME)
    except ValueError:
        logs.get_logger("x").exception("failed", patient_name=NAME)
    structlog.reset_defaults()
    assert "failed" in stream.getvalue()
    assert NAME not in stream.getvalue()


def test_a_logger_before_configure_is_no_less_careful(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.reset_defaults()
    logs.get_logger("x").info("early", patient_name=NAME)
    structlog.reset_defaults()
    said = capsys.readouterr().err
    assert "early" in said
    assert NAME not in said


def test_phi_prints_as_phi() -> None:
    name = Phi(NAME)
    assert f"{name} {name!r} {name:>20} {name!s}" == "<phi> <phi> <phi> <phi>"
    assert "%s" % name == "<phi>"  # noqa: UP031
    assert name.reveal() == NAME
    assert name == Phi(NAME) != Phi("x")
    assert len({name, Phi(NAME)}) == 1
    with pytest.raises(TypeError):
        pickle.dumps(name)
    with pytest.raises(TypeError):
        json.dumps(name)
