"""The gate: an independent second reading of what the engine made. Only this module constructs a `Release`.

It shares no code path with the engine: rows of input and output by a scanner of its own, Python's codecs, and the rows
of the profile. What it cannot read, or what holds an identifier of the input or an element that the profile does not
allow, is held. Two compiled passes (`glance`, `sieve`) tell which elements need no thought, the rest is judged singly.
A `Release` carries a MAC under a key of this run: one made elsewhere admits nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import numpy as np

from proxy.deid import deidentified
from proxy.deid.allowed import Rules
from proxy.deid.allowed_documents import is_dummied
from proxy.deid.assembly import Output, read_input, read_output
from proxy.deid.decoded import check as check_decoded
from proxy.deid.glance_values import left, table_of
from proxy.deid.identifiers import stripped
from proxy.deid.original import Source
from proxy.deid.part10 import read_part10
from proxy.deid.pixels.plan import TextReader
from proxy.deid.profile import Policy
from proxy.deid.reading import PIXEL_DATA, Leaf
from proxy.deid.release import SALT_BYTES, Keyholder, Release
from proxy.deid.rows import FORM
from proxy.deid.said import CODE_VALUE, Said, check_markers, check_report
from proxy.deid.seal import NONCE_BYTES, Seal
from proxy.deid.searches import Searches
from proxy.deid.sieve import Sieve
from proxy.deid.types import Chunk, Claimed, Deidentified, Report
from proxy.deid.view import View
from proxy.deid.witness import CLEAN_PIXELS, check_claims, check_legible, check_pixels, is_told, named
from proxy.errors import MALFORMED_REASONS, InstanceHeld, Reason

_BURNED_IN = 0x00280301


class Gate(Keyholder):
    """Verifies, in the workers. Who lets bytes out has the `Keyholder` alone."""

    def __init__(self, key: bytes, reader: TextReader | None = None, salt: bytes = bytes(SALT_BYTES)) -> None:
        """``key`` 32 random bytes, made at each start and never stored; ``reader``: for profiles that read twice.

        ``salt``: 8 random bytes of each gate that verifies with the same key; they begin its nonces.
        """
        super().__init__(key)
        if len(salt) != SALT_BYTES:
            raise ValueError("a gate's key has 32 bytes, its salt has 8")
        self._reader, self._salt, self._turns = reader, salt, count()

    def verify(self, data: memoryview, result: Deidentified, policy: Policy) -> Release:
        """Read input and output again; raises `InstanceHeld` unless nothing at all is wrong with the output."""
        before, seal = read_input(data, policy), self._seal()
        try:
            output = read_output(data, result.chunks, policy, result.work.chunks, seal.add)
            pixels = _Judgement(before, output, policy, result).pronounce()
            if policy.pixels.strict and pixels is not None:
                known = named(Said(before).root, policy)
                check_legible(Said(output.view).root, pixels, output.syntax, self._reader, known)
        except InstanceHeld as held:
            if held.reason in MALFORMED_REASONS:
                raise InstanceHeld(Reason.OUTPUT_UNREADABLE, held.detail, held.tag) from None
            raise
        return _released(seal)

    def let_pass(self, data: memoryview, claimed: Claimed, policy: Policy, check: bool) -> tuple[Release, Report]:
        """For an instance that a PACS holds de-identified: there is no input. ``check``: see `deidentified.check`."""
        view = read_input(data, policy)
        report = deidentified.describe(view, read_part10(data), claimed, policy)
        if check:
            deidentified.check(view, data, policy)
        seal = self._seal()
        seal.add(data)
        return _released(seal), report

    def decoded(self, data: memoryview, chunks: tuple[Chunk, ...], policy: Policy) -> tuple[Release, Report]:
        """For what was released before: ``chunks`` are ``data`` with its pixels decompressed. See `decoded.check`."""
        seal = self._seal()
        output = read_output(data, chunks, policy, (1, len(chunks) - 1), seal.add)
        report = check_decoded(read_input(data, policy), read_part10(data), output, policy)
        return _released(seal), report

    def _seal(self) -> Seal:
        return Seal(self._key, self._salt + next(self._turns).to_bytes(NONCE_BYTES - SALT_BYTES, "big"))


def _released(seal: Seal) -> Release:
    return Release(seal.size, seal.nonce, seal.tag())


class _Judgement:
    """One output beside its input."""

    def __init__(self, before: View, output: Output, policy: Policy, result: Deidentified) -> None:
        self._before, self._output, self._policy, self._result = before, output, policy, result
        self._view, self._work = output.view, result.work
        self._sieve = Sieve(before, uids="rtn_uids" not in policy.options)
        self._source = Source(before, self._sieve.rows)
        self._rules = Rules(policy, self._source)
        self._searches = Searches(policy, self._source, result.report.patient_id)

    def pronounce(self) -> Leaf | None:
        """Raises unless the output may leave; its pixel data, where it has any."""
        suspects, pixels = self._sieve.suspects(self._view), None
        for row in self._in_doubt(suspects):
            leaf = self._view.leaf(row)
            self._check(leaf)
            if leaf.tag in PIXEL_DATA:
                pixels = self._check_bulk(leaf)
            elif suspects[row] and self._remains(leaf, lambda it: self._searches.finds(it, self._rules)):
                raise _remaining(leaf)
        for leaf in self._output.bulk:
            self._check(leaf)
            pixels = self._check_bulk(leaf)
        self._check_said(pixels)
        return pixels

    def _in_doubt(self, suspects: bytearray) -> Iterator[int]:
        """Rows that do not pass at a glance, suspects, and all within a sequence that is looked into."""
        view, rows = self._view, self._view.rows
        doubts = left(view, self._before, table_of(self._policy))
        marks = np.frombuffer(doubts, np.uint8)
        marks |= np.frombuffer(suspects, np.uint8)
        row = doubts.find(1)
        while row >= 0:
            if rows[row, FORM] < 0:
                yield row
                if view.is_sequence(row) and self._rules.looks_inside(view.leaf(row)):
                    marks[row + 1 : view.behind(row)] = 1
            row = doubts.find(1, row + 1)

    def _check(self, leaf: Leaf) -> None:
        if not (self._work.areas or self._work.recoded) or not is_told(leaf, self._work):
            self._rules.check(leaf)

    def _check_bulk(self, leaf: Leaf) -> Leaf:
        if self._sieve.may_be_in(leaf.value) and self._remains(leaf, self._searches.in_bulk):
            raise _remaining(leaf)
        return leaf

    def _remains(self, leaf: Leaf, found_in: Callable[[Leaf], bool]) -> bool:
        try:
            return found_in(leaf)
        except ValueError:  # UnicodeDecodeError is one, and quotes the value
            raise InstanceHeld(Reason.OUTPUT_UNREADABLE, "text is not in its character set", leaf.tag) from None

    def _check_said(self, pixels: Leaf | None) -> None:
        """What the output and the report say about it, and about its pixels."""
        said, source, work = Said(self._view), self._source, self._work
        methods = said.methods()
        check_markers(said, methods, self._output, self._policy)
        check_report(said, self._result.report)
        check_pixels(said.root, pixels, self._output.syntax, work)
        burned_in = said.text(_BURNED_IN)
        if burned_in == "NO" or CLEAN_PIXELS in methods:
            # nothing is burned in where the document is a dummy
            dummy = is_dummied(self._policy.documents, self._output.sop_class_uid)
            came_with = "NO" if dummy else stripped(source.at((), _BURNED_IN)).decode("latin_1")
            came = (came_with, CLEAN_PIXELS in source.values(CODE_VALUE))
            check_claims(burned_in, methods, came, work)


def _remaining(leaf: Leaf) -> InstanceHeld:
    where = f"({leaf.tag >> 16:04X},{leaf.tag & 0xFFFF:04X}) holds an identifier of the input"
    return InstanceHeld(Reason.IDENTIFIER_REMAINS, where, leaf.tag)
