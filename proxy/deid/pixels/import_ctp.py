"""Reads scripts of the RSNA CTP DicomPixelAnonymizer: ``{ signature } (x,y,width,height) ...``, the first match counts.

As documented in the MIRC wiki: a signature joins ``Element.method("text")`` with ``!``, ``*`` (and), ``+`` (or) and
parentheses; text outside of braces and parentheses is comment. A region includes column x + width and row y + height,
because that is what CTP blanks. Pure.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from proxy.deid.pixels.device_words import BELOW, attribute
from proxy.deid.pixels.imported import Found, Imported, Problem, box_words, rules_of, sized
from proxy.deid.pixels.plan import Box
from proxy.deid.pixels.regions import Size
from proxy.deid.pixels.signature import Comparison, Either, Every, Not, Signature
from proxy.errors import ConfigError

#: CTP's methods → our operator, and whether case counts
_METHODS = {
    "equals": ("equals", True),
    "equalsIgnoreCase": ("equals", False),
    "contains": ("contains", True),
    "containsIgnoreCase": ("contains", False),
    "startsWith": ("starts", True),
    "startsWithIgnoreCase": ("starts", False),
    "endsWith": ("ends", True),
    "endsWithIgnoreCase": ("ends", False),
    "matches": ("matches", True),
    "isLessThan": ("below", True),
    "isGreaterThan": ("above", True),
}
_SIGNATURE = re.compile(r"\{([^}]*)\}")
_REGION = re.compile(r"\(([^)]*)\)")
_TOKEN = re.compile(
    r"\s*(?:(?P<sign>[!*+()])|(?P<word>true|false)\."
    r'|(?P<element>\[[^\]]*\]|[A-Za-z][A-Za-z0-9]*(?:::[A-Za-z0-9\[\],]+)*)\.(?P<method>\w+)\s*\(\s*"(?P<text>[^"]*)"\s*\))'
)
_COMMENT = re.compile(r"//[^\n]*")


class _Wrong(ValueError):
    """What cannot be translated."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    signature: Signature | None = None


def import_ctp(text: str, other_sizes: str = "refuse") -> Imported:
    """The rules of a script, in its order; the first that matches and has the size of the image is applied."""
    found: list[Found] = []
    problems: list[Problem] = []
    sections = list(_SIGNATURE.finditer(text))
    if not sections:
        problems.append(Problem(1, "there is no { signature }"))
    for number, section in enumerate(sections):
        line = text.count("\n", 0, section.start()) + 1
        before = text[sections[number - 1].end() if number else 0 : section.start()]
        after = text[section.end() : sections[number + 1].start() if number + 1 < len(sections) else len(text)]
        try:
            signature = _signature(section[1])
            boxes = [box_words(box) for box in _boxes(after, sized(signature)[1])]
        except (_Wrong, ConfigError) as wrong:
            problems.append(Problem(line, wrong.problem if isinstance(wrong, ConfigError) else str(wrong)))
            continue
        found.append(Found(line, _label(before), signature, {"blank": boxes}))
    return Imported(rules_of(found, "CTP", other_sizes, join=False), True, tuple(problems))


def _label(before: str) -> str:
    """The last line of comment in front of a signature."""
    lines = [line.strip(" *\t\r") for line in _REGION.sub("", before).splitlines()]
    return next((line[:100] for line in reversed(lines) if line), "")


def _signature(script: str) -> Signature:
    tokens = [*_tokens(_COMMENT.sub("", script)), _Token("end")]
    signature, at = _either(tokens, 0)
    if tokens[at].kind != "end":
        raise _Wrong("the signature goes on where it should end")
    return signature


def _tokens(script: str) -> Iterator[_Token]:
    at = 0
    while script[at:].strip():
        match = _TOKEN.match(script, at)
        if match is None:
            raise _Wrong(f"'{' '.join(script[at:].split())[:40]}' is not understood")
        at = match.end()
        if match["sign"]:
            yield _Token(match["sign"])
        elif match["word"]:
            yield _Token("operand", Every(()) if match["word"] == "true" else Either(()))
        else:
            yield _Token("operand", _comparison(match["element"], match["method"], match["text"]))


def _comparison(element: str, method: str, text: str) -> Comparison:
    if method not in _METHODS:
        raise _Wrong(f"there is no method '{method}'")
    path = tuple(attribute("", re.sub(r"\[(.*)\]", r"(\1)", each)) for each in element.split(BELOW))
    operator, exact = _METHODS[method]
    if operator == "matches":
        _check_pattern(text)
    return Comparison(path, operator, (text,), exact)


def _check_pattern(text: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # sets within sets, which Java has
            re.compile(text)
    except (re.error, OverflowError):
        raise _Wrong("a regular expression that only Java knows") from None
    except FutureWarning:
        raise _Wrong("a regular expression that Java reads otherwise") from None


def _either(tokens: list[_Token], at: int) -> tuple[Signature, int]:
    part, at = _every(tokens, at)
    parts = [part]
    while tokens[at].kind == "+":
        part, at = _every(tokens, at + 1)
        parts.append(part)
    return (parts[0] if len(parts) == 1 else Either(tuple(parts))), at


def _every(tokens: list[_Token], at: int) -> tuple[Signature, int]:
    part, at = _operand(tokens, at)
    parts = [part]
    while tokens[at].kind == "*":
        part, at = _operand(tokens, at + 1)
        parts.append(part)
    return (parts[0] if len(parts) == 1 else Every(tuple(parts))), at


def _operand(tokens: list[_Token], at: int) -> tuple[Signature, int]:
    token = tokens[at]
    if token.signature is not None:
        return token.signature, at + 1
    if token.kind == "!":
        part, at = _operand(tokens, at + 1)
        return Not(part), at
    if token.kind == "(":
        part, at = _either(tokens, at + 1)
        if tokens[at].kind != ")":
            raise _Wrong("a parenthesis is not closed")
        return part, at + 1
    raise _Wrong("an operator has nothing to work on")


def _boxes(text: str, size: Size) -> Iterator[Box]:
    """Every region behind a signature. Negative corners count from the right and the bottom."""
    for match in _REGION.finditer(text):
        parts = [part.strip() for part in match[1].split(",")]
        if len(parts) != 4 or not all(re.fullmatch(r"[+-]?[0-9]{1,5}", part) for part in parts):
            raise _Wrong(f"'({match[1][:40]})' is no region of four numbers")
        x, y, width, height = map(int, parts)
        left, right = _side(x, width, size[0], "columns")
        top, bottom = _side(y, height, size[1], "rows")
        yield Box(left, top, right, bottom)
    if "(" in _REGION.sub("", text):
        raise _Wrong("a region is not closed")


def _side(first: int, extent: int, total: int, what: str) -> tuple[int, int]:
    if extent < 1:
        raise _Wrong("a region without extent")
    if first < 0:
        if not total:
            raise _Wrong(f"a region from the far side, and the signature does not say how many {what}")
        first = max(first + total, 0)
    if total and first >= total:
        raise _Wrong(f"a region beyond the {total} {what} that its signature says")
    return first, min(first + extent + 1, total) if total else first + extent + 1
