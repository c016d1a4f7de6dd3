"""The clinical vocabulary: which words are terms, and which of them may as well be somebody's name.

Compiled once from parsed YAML documents (``rules/text/*.yaml``); the caller reads the files. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Folded words by kind; immutable, picklable."""

    terms: frozenset[str]


def parse_vocabulary(documents: Iterable[Mapping[str, Any]]) -> Vocabulary:
    """The vocabulary of ``documents``, one mapping for each file."""
    words = {word for document in documents for words in document.values() for word in str(words).split()}
    return Vocabulary(frozenset(words))
