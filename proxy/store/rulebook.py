"""Reads the rules: CSV tables of the standard and YAML profiles. The only place that opens a file under ``rules/``.

Strict: an unexpected header, an unknown word or a duplicate key is a `ConfigError`, and nothing starts. Knows files and
their form only; what a profile's keys mean is checked where it is compiled (`proxy.deid.profile`).
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from proxy.deid.inherit import inherited
from proxy.deid.private import safe_rows
from proxy.deid.structured import OPTIONS as CONTENT_OPTIONS
from proxy.deid.structured import content_rules
from proxy.deid.tables import Attribute, AttributeType, Method, SopClass, Tables, TransferSyntax
from proxy.deid.text_terms import parse_vocabulary
from proxy.errors import ConfigError

EDITION = "PS3.15 2026d"
_OPTIONS = (
    "rtn_safe_priv", "rtn_uids", "rtn_dev_id", "rtn_inst_id", "rtn_pat_chars", "rtn_long_full", "rtn_long_modif",
    "clean_desc", "clean_struct", "clean_graph",
)  # fmt: skip
#: file → its header, to the letter
_HEADERS = {
    "ps3.15-e1-1": ("tag", "keyword", "vr", "retired", "in_std_iod", "basic", *_OPTIONS),
    "cid-7050": (
        "code_value", "scheme", "code_meaning", "option", "ps3_15_section", "column_in_e1_1", "required_marker",
        "status",
    ),
    "ps3.15-e3.4-1-clean-structured-content": (
        "code_meaning", "code_value", "scheme", "value_type", "retired", "in_std_tpl", "basic", *CONTENT_OPTIONS,
    ),
    "ps3.15-e3.10-1-safe-private": ("private_creator", "tag", "vr", "vm", "meaning"),
    "iod-modules": ("sop_class_uid", "iod", "module", "usage"),
    "module-attribute-types": ("module", "path", "tag", "keyword", "type"),
    "sop-classes-burned-in-risk": (
        "sop_class_uid", "name", "retired", "risk", "risk_kinds", "suggested_default", "reason",
    ),
    "transfer-syntaxes": ("uid", "name", "implicit", "little", "deflated", "handling"),
}  # fmt: skip
#: (file, column) → the words that may stand there
_WORDS = {
    ("ps3.15-e1-1", "basic"): {"X", "Z", "D", "U", "X/Z", "X/D", "Z/D", "X/Z/D", "X/Z/U*"},
    **{("ps3.15-e1-1", option): {"", "K", "C"} for option in _OPTIONS},
    ("iod-modules", "usage"): {"M", "C", "U"},
    ("module-attribute-types", "type"): {"1", "1C", "2", "2C", "3", "None"},
    ("sop-classes-burned-in-risk", "risk"): {"high", "medium", "low"},
    ("transfer-syntaxes", "implicit"): {"Y", "N"},
    ("transfer-syntaxes", "little"): {"Y", "N"},
    ("transfer-syntaxes", "deflated"): {"Y", "N"},
    ("transfer-syntaxes", "handling"): {"native", "encapsulated", "video", "refuse"},
}
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
Rows = list[dict[str, str]]


def rules_root() -> Path:
    """``proxy/_rules`` in the wheel, else ``rules`` beside the package in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for root in (package / "_rules", package.parent / "rules"):
        if (root / "standard").is_dir():
            return root
    raise ConfigError("rules", "the rules that belong to this program are missing", "install it again")


def load_tables(root: Path | None = None) -> Tables:
    """Every table of the standard, checked. About 0.1 s; do it once."""
    top = root or rules_root()
    texts = {name: _read(top / "standard" / f"{name}.csv") for name in _HEADERS}
    rows = {name: _rows(name, text) for name, text in texts.items()}
    words = {path.name: _read(path) for path in sorted((top / "text").glob("*.yaml"))}
    sums = [
        f"{name}\0{hashlib.sha256(text.encode()).hexdigest()}\n" for name, text in sorted({**texts, **words}.items())
    ]
    return Tables(
        edition=EDITION,
        digest=hashlib.sha256("".join(sums).encode()).hexdigest(),
        attributes=tuple(_attribute(row) for row in rows["ps3.15-e1-1"]),
        sop_classes=_sop_classes(rows["sop-classes-burned-in-risk"]),
        transfer_syntaxes={row["uid"]: _transfer_syntax(row) for row in rows["transfer-syntaxes"]},
        iod_modules=_iod_modules(rows["iod-modules"]),
        types=tuple(_type(row) for row in rows["module-attribute-types"]),
        methods=tuple(Method(row["code_value"], row["code_meaning"], row["option"]) for row in rows["cid-7050"]),
        content=content_rules(rows["ps3.15-e3.4-1-clean-structured-content"]),
        safe_private=safe_rows(rows["ps3.15-e3.10-1-safe-private"]),
        vocabulary=parse_vocabulary(
            read_mapping(f"rules/text/{name}", text, quickly=True) for name, text in words.items()
        ),
    )


def load_profile(name: str, root: Path | None = None, site: Path | None = None) -> Mapping[str, Any]:
    """The profile ``name``, with what it extends joined in, its keys unique; `compile_policy` says what they may be.

    ``site``: the site's own folder of profiles, if it has one. It adds profiles and may not replace a shipped one.
    """
    return _profile(name, _profiles(root or rules_root(), site), ())


def load_pixel_rules(
    profile: Mapping[str, Any], root: Path | None = None, site: Path | None = None
) -> dict[str, Mapping[str, Any]]:
    """The device rules that ``profile`` names, as documents; `compile_policy` says what may stand in them.

    ``site``: the site's own folder of them. It adds files and may not replace a shipped one. A name without a file is
    left out here and refused there.
    """
    pixels = profile.get("pixels")
    named = pixels.get("devices") if isinstance(pixels, Mapping) else None
    known = _files((root or rules_root()) / "pixels", "rules/pixels", site, "pixels", "file of device rules")
    listed = named if isinstance(named, list) else []
    wanted = {name for name in listed if isinstance(name, str) and name in known}
    return {name: load_pixel_file(known[name][1], known[name][0]) for name in sorted(wanted)}


def load_pixel_file(path: Path, where: str) -> Mapping[str, Any]:
    """One file of device rules as it stands there; ``where``: how messages call it."""
    return read_mapping(where, _read(path))


def _profiles(root: Path, site: Path | None) -> dict[str, tuple[str, Path]]:
    """Name → how messages call the file, and where it is."""
    return _files(root / "profiles", "rules/profiles", site, "profiles", "profile")


def _files(shipped: Path, where: str, site: Path | None, folder: str, kind: str) -> dict[str, tuple[str, Path]]:
    """Name → how messages call the file, and where it is; the site's files beside the shipped ones."""
    found = {path.stem: (f"{where}/{path.name}", path) for path in sorted(shipped.glob("*.yaml"))}
    for path in sorted(site.glob("*.yaml")) if site is not None else ():
        if path.stem in found:
            raise ConfigError(f"{folder}/{path.name}", f"a shipped {kind} has this name", "take another")
        found[path.stem] = (f"{folder}/{path.name}", path)
    return found


def _profile(name: str, known: Mapping[str, tuple[str, Path]], below: tuple[str, ...]) -> Mapping[str, Any]:
    if name not in known:
        raise ConfigError("profile", f"there is no profile '{name}'", "known: " + ", ".join(sorted(known)))
    if name in below:
        raise ConfigError("profile", f"'{name}' extends itself")
    where, path = known[name]
    document = read_mapping(where, _read(path))
    if document.get("name") != name:
        raise ConfigError(where, f"not a mapping with 'name: {name}'")
    if "extends" not in document:
        return document
    return inherited(_profile(str(document["extends"]), known, (*below, name)), document, where)


def read_mapping(where: str, text: str, *, quickly: bool = False) -> Mapping[str, Any]:
    """A document of rules; ``where``: how messages call it. `ConfigError` for what is no mapping with unique keys.

    ``quickly``: by libyaml where PyYAML has it, in a twentieth of the time. It words its complaints otherwise: for
    files that belong to this program.
    """
    try:
        document = yaml.load(text, Loader=_Quick if quickly else _UniqueKeys)  # noqa: S506 (both are SafeLoaders)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise ConfigError(where, f"line {mark.line + 1}: {problem}" if mark else problem) from None
    if not isinstance(document, dict):
        raise ConfigError(where, "not a mapping")
    return document


class _Unique(yaml.constructor.SafeConstructor):
    """Does not let a second key silently win over the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value]
        for key, _ in node.value:
            if keys.count(key.value) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"'{key.value}' stands twice", key.start_mark)
        return super().construct_mapping(node, deep)


class _UniqueKeys(_Unique, yaml.SafeLoader):
    """YAML as people write it."""


class _Quick(_Unique, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # with libyaml or without: PyYAML as built
    """The same with libyaml."""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"rules/{path.parent.name}/{path.name}", "cannot be read", "install it again") from None


def _rows(name: str, text: str) -> Rows:
    where = f"rules/standard/{name}.csv"
    header = _HEADERS[name]
    reader = csv.reader(io.StringIO(text), strict=True)  # of 20 000 rows DictReader takes twice as long
    if tuple(next(reader, ())) != header:
        raise ConfigError(where, "its header is not the expected one")
    words = [(at, column, _WORDS[name, column]) for at, column in enumerate(header) if (name, column) in _WORDS]
    rows: Rows = []
    for number, cells in enumerate(filter(None, reader), start=2):
        if len(cells) != len(header):
            raise ConfigError(where, f"row {number} has the wrong number of cells")
        for at, column, allowed in words:
            if cells[at] not in allowed:
                raise ConfigError(where, f"row {number}: '{cells[at]}' is no word for {column}")
        rows.append(dict(zip(header, cells, strict=True)))
    if not rows:
        raise ConfigError(where, "it is empty")
    return rows


def _attribute(row: dict[str, str]) -> Attribute:
    options = {option: row[option] for option in _OPTIONS if row[option]}
    return Attribute(row["tag"], row["keyword"], row["vr"], row["basic"], options)


def _sop_classes(rows: Rows) -> dict[str, SopClass]:
    # the last row stands for private and unknown SOP classes: what is not in this mapping is held
    return {
        row["sop_class_uid"]: SopClass(
            row["sop_class_uid"],
            row["name"],
            row["risk"],
            tuple(row["risk_kinds"].split(";")),
            row["suggested_default"],
        )
        for row in rows
        if _UID.fullmatch(row["sop_class_uid"])
    }


def _transfer_syntax(row: dict[str, str]) -> TransferSyntax:
    yes = {column: row[column] == "Y" for column in ("implicit", "little", "deflated")}
    return TransferSyntax(row["uid"], row["name"], yes["implicit"], yes["little"], yes["deflated"], row["handling"])


def _iod_modules(rows: Rows) -> dict[str, tuple[tuple[str, str], ...]]:
    modules: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        modules.setdefault(row["sop_class_uid"], []).append((row["module"], row["usage"]))
    return {uid: tuple(listed) for uid, listed in modules.items()}


def _type(row: dict[str, str]) -> AttributeType:
    return AttributeType(row["module"], tuple(filter(None, row["path"].split("."))), row["tag"], row["type"])
