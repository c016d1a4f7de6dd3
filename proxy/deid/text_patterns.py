"""What identifies by its form alone: addresses of the net, telephone, identifiers of states, postal codes, times, ages.

A table of patterns and, where the form is not enough, a judge. Every pattern is linear: bounded repeats or a start
that only one place of a run can have. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from proxy.deid.text_dates import GONE
from proxy.deid.text_scripts import CASED

_STOP = r"\s@＠<>()\[\]{},;:\"'"
_AGE_UNITS = (
    "y|yo|yr|yrs|years?|year|j|jahr(?:e|en)?|jährig(?:e|er|en)?|ans?|años?|anni|anos|jaar|лет|года?|год|г|ετών|ετη|χρονών"
    "|歳|才|岁|歲|세|سنة|שנה|שנים|ปี"
)
_AGE_CUES = "aged?|age of|alter|âge|agee?|edad|idade|età|leeftijd|возраст|ηλικία|年齢|年龄|年齡|나이"
Judge = Callable[[re.Match[str]], bool]


def _digits(match: re.Match[str]) -> int:
    return sum(c.isdigit() for c in match[0])


def _is_long(match: re.Match[str]) -> bool:
    return _digits(match) >= 7


def _is_telephone(match: re.Match[str]) -> bool:
    """Groups of digits: by their lengths; b-values and matrices are groups of digits too."""
    groups = tuple(len(group) for group in re.findall("[0-9]+", match[0]))
    if "-" in match[0]:
        return sum(groups) >= 9 or groups in {(3, 4), (4, 4), (2, 2, 2, 2), (3, 2, 2)}
    return groups in {(3, 3, 4), (3, 3, 3), (4, 3, 3), (3, 4, 4), (2, 2, 2, 2, 2), (4, 3, 4), (5, 6), (3, 2, 2, 2)}


def _always(_: re.Match[str]) -> bool:
    return True


_PATTERNS: tuple[tuple[str, str, Judge], ...] = (
    ("URL", r"(?<![A-Za-z])(?:https?|ftps?|file|sftp|smb)://\S{1,2048}", _always),
    ("host", r"(?<![\w.])www\.\S{1,256}", _always),
    ("e-mail", rf"(?<![^{_STOP}])[^{_STOP}]+[@＠][^{_STOP}]+", _always),
    ("path", r"(?<![A-Za-z])[A-Za-z]:\\\S{1,1024}|\\\\\S{2,1024}"
     r"|(?<!\w)/(?:home|Users|mnt|data|var|export)/\S{1,1024}", _always),
    ("UID or IP", r"(?<![\w.])[0-9]+(?:\.[0-9]+){3,}(?!\w)", _always),
    ("IPv6 or MAC", r"(?<![\w:])[0-9A-Fa-f]{1,4}(?:[:-][0-9A-Fa-f]{1,4}){5,7}(?![\w:])", _always),
    ("UUID", r"(?<!\w)[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?!\w)", _always),
    ("IBAN", r"(?<!\w)[A-Z]{2}[0-9]{2}(?: ?[0-9]{4}){2,7}(?: ?[0-9]{1,3})?(?!\w)", _always),
    ("state number", r"(?<!\w)[0-9]{3}-[0-9]{2}-[0-9]{4}(?!\w)|(?<![0-9])[0-9]{6}(?:[0-9]{2})?[-+][0-9]{3,4}(?!\w)"
     r"|(?<![\w.])[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}(?!\w)|(?<!\w)[0-9]{6} ?-? ?[A-Z] ?-? ?[0-9]{4,6}(?!\w)"
     r"|(?<!\w)[A-Z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D](?!\w)|(?<!\w)[XYZ]?-?[0-9]{7,8}-?[A-Z](?!\w)"
     r"|(?<![\w.])[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}(?!\w)"
     r"|(?<!\w)756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}(?!\w)", _always),
    ("telephone", r"(?<![\w+])\+[0-9](?:[ ()./-]{0,2}[0-9]){6,14}(?![0-9])", _always),
    ("telephone", r"(?<![\w.,-])\(?0[0-9]{1,5}\)?(?:[ ./-]{1,2}[0-9]{1,8}){1,5}(?!\w)", _is_long),
    ("telephone", r"(?<!\w)\([0-9]{3}\) ?[0-9]{3}[- ][0-9]{4}(?!\w)", _always),
    ("telephone", r"(?<![\w.,/-])[0-9]{2,6}(?:[ -][0-9]{2,6}){1,4}(?![\w.,-])", _is_telephone),
    ("postal code", r"(?<![\w-])(?:D|A|CH|F|I|L|B|DK|NL|PL|SE|FI)-[0-9]{4,5}(?!\w)", _always),
    ("postal code", r"(?<![\w-])[A-PR-UWYZ][A-HK-Y]?[0-9][A-HJKPS-UW0-9]? [0-9][ABD-HJLNP-UW-Z]{2}"
     r"(?<!ST)(?<!ND)(?<!RD)(?<!TH)(?!\w)"
     r"|(?<!\w)[ABCEGHJ-NPRSTVXY][0-9][A-Z] [0-9][A-Z][0-9](?!\w)", _always),
    ("time", r"(?<![\w.:,])(?:[01]?[0-9]|2[0-4])[:：][0-5][0-9](?:[:：][0-5][0-9](?:[.,][0-9]{1,6})?)?"
     r"(?! ?(?:min|sec|s\b|mm|ml|h\b))(?: ?[ap]\.?m\.?(?![A-Za-z])| ?Uhr(?![a-z]))?(?![\w:])", _always),
    ("time", r"(?<![\w.:,])[0-9]{1,2}(?:\.[0-5][0-9] ?Uhr(?![a-z])|[hH][0-5][0-9](?!\w)|[ap]m(?![A-Za-z])| [ap]\.m\.)"
     r"|[0-9]{1,2} ?[時时点點시] ?[0-9]{1,2} ?[分분](?: ?[0-9]{1,2} ?[秒초])?", _always),
    ("age", rf"(?<![\w.,/×-])0?(?:9[0-9]|1[0-4][0-9])[ -]{{0,2}}(?:{_AGE_UNITS})(?:[ -]old)?(?![{CASED}])", _always),
    ("age", rf"(?<![{CASED}])(?:{_AGE_CUES})(?![{CASED}])[ :.=]{{0,3}}(?:9[0-9]|1[0-4][0-9])(?![0-9.,])", _always),
)  # fmt: skip
_AGES = frozenset({"age", "URL", "host"})  # letters of either case
_COMPILED = tuple((name, re.compile(p, re.IGNORECASE if name in _AGES else 0), judge) for name, p, judge in _PATTERNS)
_TIMES = "time"
_FIGURE = re.compile("[0-9]")
#: signs without which a pattern need not be looked for; the others need a figure
_NEEDED = {"URL": ("://",), "host": ("www.", "WWW."), "e-mail": ("@", "＠"), "path": ("\\\\", "/")}


def blank(text: str, *, times: bool) -> tuple[str, int]:
    """``text`` with `GONE` for each pattern, and how many there were. ``times`` False leaves times of the day."""
    gone = 0
    figures = _FIGURE.search(text) is not None
    for name, pattern, judge in _COMPILED:
        if (name == _TIMES and not times) or not any(sign in text for sign in _NEEDED.get(name, ("",))):
            continue
        if not figures and name not in _NEEDED:
            continue
        found = [match.span() for match in pattern.finditer(text) if judge(match)]
        if found:
            gone += len(found)
            text = _without(text, found)
    return text, gone


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    parts, at = [], 0
    for start, end in spans:
        parts += [text[at:start], GONE]
        at = end
    return "".join((*parts, text[at:]))
