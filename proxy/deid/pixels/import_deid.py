"""Reads recipes of pydicom/deid: labels of ``%filter`` sections with criteria and coordinates. All that match count.

As its documentation says: criteria on one line are joined first, then the lines, from left to right, by ``+`` (and) and
``||`` (or); case never matters; contains searches for a regular expression; coordinates exclude their last column and
row. Of a recipe only what blanks pixels is taken. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from proxy.deid.pixels.deid_coordinates import Operation, painted, read_operation
from proxy.deid.pixels.device_words import attribute
from proxy.deid.pixels.imported import Found, Imported, Problem, cut, rules_of
from proxy.deid.pixels.signature import Comparison, Either, Every, Not, Signature
from proxy.errors import ConfigError

_WITH_VALUE = frozenset({"contains", "notcontains", "equals", "notequals"})
_ALONE = frozenset({"missing", "present", "empty"})
_JOINED = re.compile(r"\s*(\|\||\+)\s*(?=(?:not)?(?:contains|equals)\b|(?:missing|present|empty)\b)", re.IGNORECASE)
_COORDINATES = re.compile(r"(?i)(ctp)?(keep)?coordinates\b\s*(.*)")
_HEXADECIMAL = re.compile(r"0x([0-9A-Fa-f]{4})([0-9A-Fa-f]{4})")
#: escapes that change their meaning in small letters, which deid makes of every expression
_CAPITALS = re.compile(r"\\[ABDSWZ]")


class _Wrong(ValueError):
    """What cannot be translated."""


@dataclass(slots=True)
class _Label:
    line: int
    group: str
    name: str
    members: list[tuple[int, str]] = field(default_factory=list)


def import_deid(text: str, other_sizes: str = "refuse") -> Imported:
    """The labels of a recipe that blank something, in its order."""
    labels: list[_Label] = []
    problems: list[Problem] = []
    notes: list[Problem] = []
    _split(text, labels, problems, notes)
    found: list[Found] = []
    whole: Found | None = None  # a label that blanks everything of everything; later labels keep something of it
    for label in labels:
        try:
            signature, operations = _read(label)
            if not operations:
                into = notes if "gray" in label.group or "grey" in label.group else problems
                into.append(Problem(label.line, f"'{label.name}' blanks nothing: {label.group} only sorts images"))
                continue
            keeps = all(operation.keep for operation in operations)
            if keeps and (whole is None or whole not in found):
                raise _Wrong("it keeps what nothing before it blanks")
            each = Found(label.line, label.name, signature, cut(painted(operations, blanked=keeps), signature))
        except (ValueError, ConfigError) as wrong:
            problems.append(Problem(label.line, wrong.problem if isinstance(wrong, ConfigError) else str(wrong)))
            continue
        if keeps and whole is not None:
            # either its parts are kept, or all goes: two rules that never hold at once
            found[found.index(whole)] = Found(whole.line, whole.label, Not(signature), whole.parts)
        elif each.parts == {"blank": "all"} and signature == Every(()):
            whole = each
        found.append(each)
    rules = rules_of(found, "deid", other_sizes, join=True)
    if not rules and not problems:
        problems.append(Problem(1, "no label blanks anything"))
    return Imported(rules, False, tuple(problems), tuple(notes))


def _split(text: str, labels: list[_Label], problems: list[Problem], notes: list[Problem]) -> None:
    group, filtering = "", False
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("%"):
            section, _, group = line[1:].split("#")[0].strip().lower().partition(" ")
            filtering = section == "filter"
            if not filtering:
                notes.append(Problem(number, f"the section %{section} is not about pixels"))
        elif re.match(r"(?i)format\b", line):
            if line.split()[1:] != ["dicom"]:
                problems.append(Problem(number, "the format is not dicom"))
        elif re.match(r"(?i)label\b", line) and filtering:
            labels.append(_Label(number, group.strip(), line[5:].split("#")[0].strip()[:100]))
        elif filtering and labels and labels[-1].group == group.strip():
            labels[-1].members.append((number, line))
        elif filtering:
            problems.append(Problem(number, "a line before any LABEL"))


def _read(label: _Label) -> tuple[Signature, list[Operation]]:
    operations: list[Operation] = []
    signature: Signature | None = None
    for number, line in label.members:
        if match := _COORDINATES.fullmatch(line):
            operations.append(_operation(number, match))
            continue
        sign = "||" if line.startswith("||") else "+" if line.startswith("+") else ""
        part = _criteria(number, line[len(sign) :].strip())
        if signature is None:
            signature = part
        elif not sign:
            raise _Wrong(
                f"line {number} begins without + or ||: deid documents it as an alternative and runs it as both"
            )
        else:
            signature = _joined(sign, signature, part)
    return signature or Every(()), operations


def _operation(number: int, match: re.Match[str]) -> Operation:
    try:
        return read_operation(match[3], extent=bool(match[1]), keep=bool(match[2]))
    except ValueError as wrong:
        raise _Wrong(f"line {number}: {wrong}") from None


def _joined(sign: str, first: Signature, second: Signature) -> Signature:
    return Every((first, second)) if sign == "+" else Either((first, second))


def _criteria(number: int, line: str) -> Signature:
    """The criteria of one line, from left to right."""
    first, *rest = _JOINED.split(line)
    signature = _criterion(number, first)
    for sign, text in zip(rest[::2], rest[1::2], strict=True):
        signature = _joined(sign, signature, _criterion(number, text))
    return signature


def _criterion(number: int, text: str) -> Signature:
    words = text.split(None, 2)
    action = words[0].lower() if words else ""
    if "#" in text:
        raise _Wrong(f"line {number}: what follows # is part of the value in deid")
    if action not in _WITH_VALUE | _ALONE or len(words) != (3 if action in _WITH_VALUE else 2):
        raise _Wrong(f"line {number}: '{text[:40]}' is no criterion")
    match = _HEXADECIMAL.fullmatch(words[1])
    path = (attribute("", f"({match[1]},{match[2]})" if match else words[1]),)
    if action in _ALONE:
        return Comparison(path, action)
    comparison = Comparison(path, *_compared(number, action.removeprefix("not"), words[2].strip()))
    return Not(comparison) if action.startswith("not") else comparison


def _compared(number: int, action: str, value: str) -> tuple[str, tuple[str, ...]]:
    if action == "equals":
        return "equals", tuple(part.strip() for part in value.split("|"))
    try:
        re.compile(value)
    except (re.error, OverflowError):
        raise _Wrong(f"line {number}: '{value[:40]}' is no regular expression") from None
    if _CAPITALS.search(value):
        raise _Wrong(f"line {number}: deid turns the expression into small letters, and its escapes with it")
    plain = re.escape(value).replace("\\ ", " ").replace("\\-", "-") == value
    return ("contains" if plain else "search"), (value,)
