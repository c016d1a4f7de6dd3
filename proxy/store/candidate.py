"""Reads a profile that somebody sends along to be tried; it is not on disk and does not get there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from proxy.deid.inherit import inherited
from proxy.errors import ConfigError
from proxy.store.rulebook import load_profile, read_mapping

_WHERE, _DEPTH = "the file of rules", 40


def read_candidate(text: bytes, site: Path | None = None) -> Mapping[str, Any]:
    """The profile in ``text`` with what it extends; ``site``: the site's own folder of profiles. `ConfigError`.

    Without aliases, a few of which can stand for gigabytes, and not nested deeper than a profile is.
    """
    try:
        words = text.decode("utf-8")
        _modest(words)
        document = read_mapping(_WHERE, words)
    except UnicodeDecodeError:
        raise ConfigError(_WHERE, "not UTF-8") from None
    if "extends" not in document:
        return document
    return inherited(load_profile(str(document["extends"]), site=site), document, _WHERE)


def _modest(words: str) -> None:
    depth = 0
    try:
        for event in yaml.parse(words, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise ConfigError(_WHERE, "aliases (*) are not taken here")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEPTH:
                raise ConfigError(_WHERE, "nested too deep")
    except yaml.YAMLError:
        return  # nothing is made of it, and the reading that follows says where
