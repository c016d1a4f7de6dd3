"""``veil decrypt``: a security officer reads the originals that an instance carries, with a private key, offline.

Needs no veil.yaml, no proxy and no network. What it prints and writes is PHI. Status 1 where nothing is for this key.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from pydicom import dcmread
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset, FileDataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_dataset
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from proxy.commands.private_key import read_private_key
from proxy.deid.encrypted_open import open_envelope
from proxy.deid.encrypted_recipients import read_recipients
from proxy.deid.explained import place
from proxy.errors import ConfigError

_ENCRYPTED, _CONTENT, _MODIFIED = 0x04000500, 0x04000520, 0x04000550
_IDENTITY_REMOVED = 0x00120062
#: what de-identification says of itself; an instance that was re-identified does not say it (PS3.15 E.1.2)
_MARKERS = (0x00120063, 0x00120064, 0x00280303)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("decrypt")
@click.argument("file", type=_FILE)
@click.option("--key", "key_path", type=_FILE, required=True, help="the officer's RSA private key, PEM")
@click.option(
    "--cert", "certificate", type=_FILE, help="the certificate of that key, PEM; without it every envelope is tried"
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="write FILE with its originals put back")
@click.option("--json", "as_json", is_flag=True, help="DICOM JSON")
def decrypt(file: Path, key_path: Path, certificate: Path | None, out: Path | None, as_json: bool) -> None:
    """Show the original values that FILE carries encrypted (encrypt_originals). What is printed or written is PHI."""
    try:
        instance = dcmread(file, stop_before_pixels=out is None)
    except (InvalidDicomError, OSError, ValueError) as error:
        raise click.ClickException(f"{file}: cannot be read: {type(error).__name__}") from None
    originals = _originals(instance, _private_key(key_path), _key_id(certificate))
    if out is not None:
        _write(out, restored(instance, originals))
        click.echo(f"wrote {out}")
    elif as_json:
        click.echo(json.dumps(originals.to_json_dict(), ensure_ascii=False, indent=1))
    else:
        _print_table(originals)


def restored(instance: FileDataset, originals: Dataset) -> FileDataset:
    """The instance with its originals in their places, as a re-identifier does it (PS3.15 E.1.2)."""
    for tag in (_ENCRYPTED, *_MARKERS):
        if tag in instance:
            del instance[tag]
    instance.add_new(_IDENTITY_REMOVED, "CS", "NO")
    instance.update({element.tag: element for element in originals})
    instance.file_meta.MediaStorageSOPInstanceUID = instance.SOPInstanceUID
    return instance


def _originals(instance: Dataset, key: RSAPrivateKey, key_id: bytes | None) -> Dataset:
    items = instance[_ENCRYPTED].value if _ENCRYPTED in instance else []
    if not items:
        raise click.ClickException("this instance carries no encrypted originals")
    found = Dataset()
    for item in items:
        try:
            content = open_envelope(memoryview(item[_CONTENT].value), key, key_id)
        except (KeyError, TypeError, ValueError):
            continue
        inside = read_dataset(io.BytesIO(content), is_implicit_VR=False, is_little_endian=True)
        found.update({element.tag: element for element in inside[_MODIFIED].value[0]})
    if not found:
        raise click.ClickException("nothing in this instance is encrypted to this key, or not as Veil does it")
    return found


def _private_key(path: Path) -> RSAPrivateKey:
    key = read_private_key(path)
    if not isinstance(key, RSAPrivateKey):
        raise click.ClickException(f"{path}: not an RSA key")
    return key


def _key_id(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        (recipient,) = read_recipients([path.read_text(encoding="ascii")], str(path))
    except (ConfigError, UnicodeDecodeError):
        raise click.ClickException(f"{path}: not a certificate that Veil encrypts to") from None
    return recipient.key_id


def _print_table(originals: Dataset) -> None:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("place", "keyword", "VR", "original"):
        table.add_column(name, overflow="fold", no_wrap=name in ("place", "VR"))
    for row in _rows(originals, ()):
        table.add_row(*row)
    Console(markup=False, emoji=False, highlight=False).print(table)


def _rows(dataset: Dataset, path: tuple[int, ...]) -> Iterator[tuple[str, str, str, str]]:
    for element in dataset:
        tag = int(element.tag)
        here = (place(path, tag), keyword_for_tag(tag), str(element.VR))
        if element.VR != "SQ":
            yield (*here, "".join(c if c.isprintable() else "·" for c in str(element.value)))
            continue
        yield (*here, f"{len(element.value)} items")
        for number, item in enumerate(element.value):
            yield from _rows(item, (*path, tag, number))


def _write(path: Path, instance: FileDataset) -> None:
    """Only for its owner, and never over another file."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from None
    with os.fdopen(fd, "wb") as target:
        instance.save_as(target)
