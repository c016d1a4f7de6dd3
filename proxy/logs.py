"""Logging: JSON lines (or a console format on a terminal) of named events with allow-listed fields. No PHI, ever.

Fields that `FIELDS` does not name are dropped. An exception shows as its class, with its text only where it is of our
own tree, whose texts carry no values. Other libraries' records, warnings and unhandled exceptions are reduced to where
they came from: their texts quote data sets. pydicom and pynetdicom are silenced altogether.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any, Generic, NoReturn, TextIO, TypeVar

from proxy.errors import VeilError
from proxy.lean import without

with without("rich"):
    import structlog

T = TypeVar("T")

#: what a log line may say, and nothing else
FIELDS = frozenset(
    {
        *("event", "level", "timestamp", "room", "error", "detail", "where", "library", "category"),
        *("project", "destination", "transport", "address", "calling_ae", "called_ae", "host", "port", "version"),
        *("reason", "code", "status", "state", "answer", "tag", "sop_class_uid", "transfer_syntax_uid", "modality"),
        *("count", "size", "attempts", "milliseconds", "seconds", "workers", "pid", "signal", "method", "route"),
        *("policy_digest", "key_epoch", "sha256", "entry", "queue_id", "seq", "stored", "held", "delivered"),
    }
)
_LONGEST = 300
_SILENT = ("pydicom", "pynetdicom")


class Phi(Generic[T]):
    """A value that identifies someone. It prints as ``<phi>`` and cannot be pickled; `reveal` is easy to search for."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        """The value itself. Never for a log, an audit record, an error or a label."""
        return self._value

    def __repr__(self) -> str:
        return "<phi>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "<phi>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Phi) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Phi, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("PHI is not pickled")


def configure(stream: TextIO | None = None, *, json: bool | None = None, level: str = "info") -> None:
    """Set up logging for the process. ``json=None``: a console format where ``stream`` (stderr) is a terminal."""
    _configure_structlog(stream if stream is not None else sys.stderr, json, level)
    _tame_libraries()
    _tame_interpreter()


def _configure_structlog(out: TextIO, json: bool | None, level: str) -> None:
    as_json = not out.isatty() if json is None else json
    renderer = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            only_known_fields,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )


def get_logger(name: str) -> Any:
    """``get_logger("dimse").info("association-accepted", project="research")``."""
    if not structlog.is_configured():  # before `configure`, or without it, the same fields hold
        _configure_structlog(sys.stderr, None, "info")
    return structlog.get_logger(room=name)


def only_known_fields(logger: object, method: str, fields: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """structlog processor: drop what `FIELDS` does not name, reduce what is no plain value."""
    error = fields.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        fields["error"] = error
    if isinstance(found := fields.get("error"), VeilError):
        fields["detail"] = str(found)
    return {name: _plain(value) for name, value in fields.items() if name in FIELDS}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        # also what a terminal would obey
        return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value[:_LONGEST])
    if isinstance(value, Phi):
        return "<phi>"
    if isinstance(value, BaseException):
        return type(value).__name__
    return f"<{type(value).__name__}>"


class _Reduced(logging.Handler):
    """Another library's record: where it came from and what class of exception, never what it says."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        more = {"error": error} if error is not None else {}
        log = get_logger("library")
        say = log.error if record.levelno >= logging.ERROR else log.warning
        say("library-record", library=record.name, where=f"{record.module}:{record.lineno}", **more)


def _tame_libraries() -> None:
    root = logging.getLogger()
    root.handlers[:] = [_Reduced(logging.WARNING)]
    root.setLevel(logging.WARNING)
    for name in _SILENT:
        logger = logging.getLogger(name)
        logger.handlers[:] = [logging.NullHandler()]
        logger.propagate = False
        logger.setLevel(logging.CRITICAL + 1)


def _tame_interpreter() -> None:
    warnings.showwarning = _warned
    sys.excepthook = _unhandled
    sys.unraisablehook = _unraisable
    threading.excepthook = _thread_ended


def _warned(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    get_logger("library").warning("python-warning", category=category.__name__, where=f"{filename}:{lineno}")


def _unhandled(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    get_logger("process").critical("unhandled-exception", error=error, where=_place(trace))


def _unraisable(event: sys.UnraisableHookArgs) -> None:
    get_logger("process").error("unraisable-exception", error=event.exc_value, where=_place(event.exc_traceback))


def _thread_ended(event: threading.ExceptHookArgs) -> None:
    if event.exc_type is not SystemExit:
        get_logger("process").critical("thread-ended", error=event.exc_value, where=_place(event.exc_traceback))


def _place(trace: TracebackType | None) -> str:
    frames = traceback.extract_tb(trace)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
