"""From encoded bytes to a `Level` whose values are still bytes: head, transfer syntax, compiled scan and labels.

Pixel data is found by the scan and never copied or parsed. Everything that can be wrong with the encoding is found
here. Pure; raises `InstanceHeld`.
"""

from __future__ import annotations

from dataclasses import dataclass

from proxy.deid.access import PIXEL_DATA
from proxy.deid.document import Document, TokenLevel
from proxy.deid.level import Level
from proxy.deid.part10 import Part10, read_part10
from proxy.deid.profile import Policy
from proxy.deid.retained import labels_of, sequences_of
from proxy.deid.scanner import END, LENGTH, OFFSET, TAG, UNDEFINED_LENGTH, VALUE, VR, VR_NAMES, Encoding, scan_table
from proxy.deid.tables import TransferSyntax
from proxy.deid.tokens import inflate
from proxy.errors import InstanceHeld, Reason

_PIXEL_VRS = frozenset({"", "OB", "OW", "OF", "OD"})


@dataclass(frozen=True, slots=True)
class Pixels:
    """Where the pixel data element lies, header and delimiter included, and where its value begins."""

    tag: int
    offset: int
    end: int
    value: int
    vr: str


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance, read. ``body`` is the buffer that ``pixels`` points into: the input, or what was inflated.

    ``apart``: each element of ``root`` comes by itself, none in a run.
    """

    head: Part10
    syntax: TransferSyntax
    body: memoryview
    root: Level
    pixels: Pixels | None
    apart: bool = False


def read_instance(data: memoryview, policy: Policy, *, apart: bool = False) -> Instance:
    """Scan ``data`` under the policy's limits and label what it holds; ``apart``: every element by itself."""
    head, syntax, body, offset = open_body(data, policy)
    encoding = Encoding(syntax.implicit, syntax.little, sequences_of(policy))
    scanned = scan_table(body, offset, encoding, policy.limits)
    labels = None if apart else labels_of(policy)
    encoded, bounds = (syntax.implicit, not syntax.little), (policy.limits, sequences_of(policy))
    document = Document(body, scanned, labels, encoded, bounds)
    root = document.root()
    return Instance(head, syntax, body, root, _pixels(document, root, syntax), apart)


def separate(instance: Instance, policy: Policy) -> Level:
    """The data set of ``instance`` again, with what it says of its pixels element by element: they were changed."""
    syntax, sequences = instance.syntax, sequences_of(policy)
    offset = 0 if syntax.deflated else instance.head.dataset_offset
    scanned = scan_table(instance.body, offset, Encoding(syntax.implicit, syntax.little, sequences), policy.limits)
    labels = labels_of(policy, changed=True)
    encoded = (syntax.implicit, not syntax.little)
    return Document(instance.body, scanned, labels, encoded, (policy.limits, sequences)).root()


def open_body(data: memoryview, policy: Policy) -> tuple[Part10, TransferSyntax, memoryview, int]:
    """The head, the transfer syntax, and the buffer and offset of the data set, inflated where it has to be."""
    head = read_part10(data)
    syntax = policy.transfer_syntaxes.get(head.transfer_syntax_uid)
    if syntax is None or syntax.handling == "refuse":
        raise InstanceHeld(Reason.UNKNOWN_TRANSFER_SYNTAX, "this transfer syntax is not handled", 0x00020010)
    if syntax.deflated:
        return head, syntax, memoryview(inflate(data, head.dataset_offset, policy.limits)), 0
    return head, syntax, data, head.dataset_offset


def _pixels(document: Document, root: TokenLevel, syntax: TransferSyntax) -> Pixels | None:
    found = [row for tag in PIXEL_DATA if (row := root.row(tag)) is not None]
    if not found:
        return None
    row, cells = found[0], document.cells
    tag, vr, undefined = cells[row, TAG], VR_NAMES[cells[row, VR]], cells[row, LENGTH] == UNDEFINED_LENGTH
    if len(found) > 1 or vr not in _PIXEL_VRS:
        raise InstanceHeld(Reason.MALFORMED, "more than one kind of pixel data, or one with a wrong VR", tag)
    if undefined != (syntax.handling != "native"):
        raise InstanceHeld(Reason.MALFORMED, "pixel data and transfer syntax do not agree on encapsulation", tag)
    return Pixels(tag, cells[row, OFFSET], cells[row, END], cells[row, VALUE], vr)
