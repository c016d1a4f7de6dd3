"""The words of a profile about pixels (``pixels:``, docs/pixels.md), checked to the letter. Pure.

Nothing of it has to be said: what a profile leaves out is as safe as Veil can make it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from proxy.deid.pixels.device_words import read_devices
from proxy.deid.pixels.regions import DeviceFile
from proxy.errors import ConfigError

RISKS = ("high", "medium", "low")
#: risk → how pixels of that risk may be read for text; a screen is too coarse where text is likely
_LOOKS = {"high": ("full", "off"), "medium": ("full", "screen", "off"), "low": ("full", "screen", "off")}
#: one word for all risks
_TEXT = {
    "full": dict.fromkeys(RISKS, "full"),
    "screen": {"high": "full", "medium": "screen", "low": "screen"},
    "off": dict.fromkeys(RISKS, "off"),
}
_DEFAULT_TEXT = {"high": "full", "medium": "full", "low": "off"}
_WORDS = {
    "burned_in": ("look", "hold"),
    "keep_text": ("none", "harmless"),
    "ultrasound": ("outside_regions", "off"),
    "faces": ("hold", "forward"),
}
_KEYS = frozenset({"text", "strict", "audit", "devices", *_WORDS})
_AUDIT = 0.01


@dataclass(frozen=True, slots=True)
class PixelPolicy:
    """What a project wants done to pixels.

    ``text``: risk → full, screen or off. ``burned_in``: what happens to an instance that says that text is burned in
    and that no device rule explains. ``audit``: the share of frames passed by the screen that are read in full.
    ``strict``: the gate reads the output for text as well.
    """

    text: Mapping[str, str] = field(default_factory=lambda: dict(_DEFAULT_TEXT))
    burned_in: str = "look"
    keep_text: str = "none"
    ultrasound: str = "outside_regions"
    faces: str = "hold"
    strict: bool = False
    audit: float = _AUDIT
    devices: tuple[DeviceFile, ...] = ()

    def reads(self, risk: str) -> bool:
        """Whether pixels of this risk are read for text at all."""
        return self.text[risk] != "off"


def read_pixels(where: str, document: Any, rules: Mapping[str, Mapping[str, Any]]) -> PixelPolicy:
    """The policy that ``document`` describes; ``rules``: name → the device rules that it may name.

    `ConfigError` names the first word that is wrong.
    """
    if not isinstance(document, Mapping):
        raise ConfigError(where, "it is not a mapping")
    for key in document:
        if key not in _KEYS:
            raise ConfigError(f"{where}.{key}", "this key is not known")
    words: dict[str, Any] = {key: _word(f"{where}.{key}", document[key]) for key in _WORDS if key in document}
    if "text" in document:
        words["text"] = _text(f"{where}.text", document["text"])
    if "strict" in document:
        words["strict"] = _strict(f"{where}.strict", document["strict"])
    if "audit" in document:
        words["audit"] = _share(f"{where}.audit", document["audit"])
    words["devices"] = _devices(f"{where}.devices", document.get("devices", []), rules)
    return PixelPolicy(**words)


def _text(where: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        word = _plain(value)
        if word not in _TEXT:
            raise ConfigError(where, "it is full, screen or off, or a mapping of high, medium and low")
        return dict(_TEXT[word])
    looks = dict(_DEFAULT_TEXT)
    for risk, look in value.items():
        if risk not in _LOOKS:
            raise ConfigError(f"{where}.{risk}", "a risk is high, medium or low")
        if _plain(look) not in _LOOKS[risk]:
            raise ConfigError(f"{where}.{risk}", "it is " + " or ".join(_LOOKS[risk]))
        looks[risk] = _plain(look)
    return looks


def _plain(value: Any) -> str:
    """``off`` without quotes is false in YAML 1.1."""
    return "off" if value is False else value if isinstance(value, str) else ""


def _word(where: str, value: Any) -> str:
    allowed = _WORDS[where.rpartition(".")[2]]
    if _plain(value) not in allowed:
        raise ConfigError(where, "it is " + " or ".join(allowed))
    return _plain(value)


def _strict(where: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(where, "it is true or false")
    return value


def _share(where: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError(where, "it is a share from 0 to 1")
    return float(value)


def _devices(where: str, listed: Any, rules: Mapping[str, Mapping[str, Any]]) -> tuple[DeviceFile, ...]:
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise ConfigError(where, "it is a list of names of files with device rules")
    found: dict[str, DeviceFile] = {}
    for name in listed:
        if name not in rules:
            raise ConfigError(where, f"there are no device rules '{name}'", "known: " + (", ".join(rules) or "none"))
        found.setdefault(name, read_devices(name, rules[name]))
    return tuple(found.values())
