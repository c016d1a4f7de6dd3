"""What the verbs of security officers have in common: how they reach the proxy, the officer's key, signing with it.

Private keys are read here, on the officer's machine, and go nowhere.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import click
from cryptography.hazmat.primitives.asymmetric import ec

from proxy.commands.private_key import read_private_key
from proxy.control_client import ControlClient, connect
from proxy.service.reidentify_words import PURPOSES, Message, asked_in, written
from proxy.store.crosswalk import Key, bound
from proxy.store.identities import Entry, entry_of
from proxy.store.keys import load_certificate
from proxy.store.officers import Officer, key_id, officer, opened, sign

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
at = click.option(
    "--data",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path("data"),
    show_default=True,
    help="the folder with control.sock: the proxy's data folder, or one into which ssh forwards the socket",
)
project = click.option("--project", required=True)
who = click.option("--as", "name", required=True, help="your name as an officer in veil.yaml")
key = click.option("--key", "key_path", type=FILE, required=True, help="your private key, PEM")
_purpose = click.option("--purpose", type=click.Choice(PURPOSES), required=True)
_ticket = click.option(
    "--ticket", required=True, help="where it is written why; recorded, so no name and no number of a patient"
)
_hours = click.option("--hours", type=click.IntRange(1), default=24, show_default=True, help="how long it is good")


def why(command: Callable[..., None]) -> Callable[..., None]:
    """What every request says of itself: purpose, ticket, hours."""
    return _purpose(_ticket(_hours(command)))


def request_of(private: ec.EllipticCurvePrivateKey, action: str, attached: str = "", **members: Any) -> Message:
    """A signed request, as nobody has made one before."""
    return signed(private, action, attached, nonce=secrets.token_hex(16), **members)


def ask(folder: Path, call: Callable[[ControlClient], Awaitable[Any]]) -> Any:
    """What the proxy answers that runs on ``folder``."""

    async def work() -> Any:
        async with connect(folder) as client:
            if client is None:
                raise click.ClickException(f"no proxy answers at {folder}/control.sock")
            return await call(client)

    return asyncio.run(work())


def one(folder: Path, request_id: str) -> Any:
    """One request, as the proxy tells it."""
    try:
        return ask(folder, lambda client: client.reidentification(request_id))
    except KeyError:
        raise click.ClickException(f"no request is called '{request_id}'; see: veil reidentify list") from None


def said_by(asked: Mapping[str, Any], requester: Path) -> tuple[Mapping[str, Any], Officer]:
    """What was asked, as the owner of the certificate ``requester`` signed it: not as the proxy tells it."""
    to = officer(asked["requester"], load_certificate(requester), str(requester))
    if not to.signed(asked["statement"], asked["signature"]):
        raise click.ClickException("this request was not signed with the key of that certificate")
    return asked_in(asked["statement"]), to


def entry_in(project: str, pseudonym: str, told: Mapping[str, Any]) -> Entry:
    """An entry that the proxy told."""
    return entry_of(Key(project, told["key_epoch"], "patient", pseudonym), told)


def share_of(entry: Entry, private: ec.EllipticCurvePrivateKey) -> tuple[int, bytes]:
    """This officer's share: its x, and itself."""
    mine = entry.shares.get(key_id(private.public_key()))
    if mine is None:
        raise click.ClickException("this entry was not written for your key")
    return mine[0], opened(private, bytes.fromhex(mine[1]), bound(entry.key))


def signed(private: ec.EllipticCurvePrivateKey, action: str, attached: str = "", **members: Any) -> Message:
    """A statement of now."""
    statement = written(action, at=int(time.time()), **members)
    return Message(statement, sign(private, statement), attached)


def private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The officer's own."""
    found = read_private_key(path)
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise click.ClickException(f"{path}: not a key on the curve P-256")
    return found


def printable(text: str) -> str:
    """For a terminal."""
    return "".join(c if c.isprintable() else "·" for c in text)
