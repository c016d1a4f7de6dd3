"""Reads the private key of whoever runs a verb, on that person's machine."""

from __future__ import annotations

from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key


def read_private_key(path: Path) -> PrivateKeyTypes:
    """The key in ``path``, in PEM; asks for its passphrase where it has one."""
    data = path.read_bytes()
    try:
        try:
            return load_pem_private_key(data, None)
        except TypeError:  # it is encrypted itself
            password = click.prompt("passphrase of the key", hide_input=True, err=True)
            return load_pem_private_key(data, password.encode())
    except (TypeError, ValueError):
        raise click.ClickException(f"{path}: not a private key in PEM, or another passphrase") from None
