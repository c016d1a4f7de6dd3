"""``veil reidentify request | list | approve | reveal``: two security officers read who one patient was.

Works through the socket of a running proxy, of this machine or forwarded by ssh. Private keys are read here, on the
officer's machine, and go nowhere: what is sent are signatures, and a share that only the requester can open.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click
from cryptography.hazmat.primitives.asymmetric import ec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from proxy.commands.private_key import read_private_key
from proxy.control_client import ControlClient, connect
from proxy.service.reidentify_words import APPROVE, PURPOSES, REQUEST, REVEAL, Message, read, sealed_for, written
from proxy.store.crosswalk import Key, bound
from proxy.store.identities import Entry, entry_of
from proxy.store.keys import load_certificate
from proxy.store.officers import Officer, key_id, officer, opened, sign

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_at = click.option(
    "--data",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path("data"),
    show_default=True,
    help="the folder with control.sock: the proxy's data folder, or one into which ssh forwards the socket",
)
_project = click.option("--project", required=True)
_who = click.option("--as", "name", required=True, help="your name as an officer in veil.yaml")
_key = click.option("--key", "key_path", type=_FILE, required=True, help="your private key, PEM")


@click.group("reidentify")
def reidentify() -> None:
    """Who was this patient? One officer asks, another approves, the first reads it, once. All of it is recorded."""


@reidentify.command("request")
@click.argument("pseudonym")
@_project
@_who
@_key
@click.option("--purpose", type=click.Choice(PURPOSES), required=True)
@click.option(
    "--ticket", required=True, help="where it is written why; recorded, so no name and no number of a patient"
)
@click.option("--hours", type=click.IntRange(1), default=24, show_default=True, help="how long it is good")
@_at
def request(
    pseudonym: str, project: str, name: str, key_path: Path, purpose: str, ticket: str, hours: int, folder: Path
) -> None:
    """Ask for the original Patient ID of PSEUDONYM; prints what the request is called."""
    said = {"pseudonyms": [pseudonym], "purpose": purpose, "ticket": ticket, "hours": hours}
    nonce = secrets.token_hex(16)
    message = _signed(_private(key_path), REQUEST, project=project, by=name, nonce=nonce, **said)
    click.echo(_ask(folder, lambda client: client.reidentify(REQUEST, message)))


@reidentify.command("list")
@click.option("--json", "as_json", is_flag=True, help="one JSON array")
@_at
def list_requests(as_json: bool, folder: Path) -> None:
    """Requests and how they stand."""
    found = _ask(folder, lambda client: client.reidentifications())
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    table = Table(box=SIMPLE_HEAD)
    for heading in ("request", "stands", "project", "patient", "asked by, for", "approved by"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "request")
    for each in found:
        said = read(REQUEST, each["statement"])
        why = f"{each['requester']}, {said['purpose']} {said['ticket']}"
        table.add_row(each["request"], each["state"], each["project"], said["pseudonyms"][0], why, each["approver"])
    Console(markup=False, emoji=False, highlight=False).print(table)


@reidentify.command("approve")
@click.argument("request_id", metavar="REQUEST")
@_who
@_key
@click.option(
    "--requester", type=_FILE, required=True, help="the certificate of who asks, PEM, as you have it from that person"
)
@click.option("--yes", is_flag=True, help="do not ask")
@_at
def approve(request_id: str, name: str, key_path: Path, requester: Path, yes: bool, folder: Path) -> None:
    """Approve another officer's REQUEST: your share of this one entry, for that officer alone."""
    asked = _one(folder, request_id)
    said, to = _said(asked, requester)
    click.echo(f"{to.name} asks for {said['pseudonyms'][0]} of {said['project']}: {said['purpose']}, {said['ticket']}")
    if not yes:
        click.confirm("approve?", abort=True)
    if "entry" not in asked:
        raise click.ClickException(f"this request does not wait for an approval: {asked['state']}")
    private = _private(key_path)
    entry = _entry(said, asked["entry"])
    x, share = _share(entry, private)
    anew = to.seal(share, sealed_for(request_id, to.key_id)).hex()
    members = {"request": request_id, "entry": entry.digest, "share": [x, anew]}
    message = _signed(private, APPROVE, project=said["project"], by=name, **members)
    _ask(folder, lambda client: client.reidentify(APPROVE, message))
    click.echo(f"approved: {to.name} can read it once")


@reidentify.command("reveal")
@click.argument("request_id", metavar="REQUEST")
@_who
@_key
@_at
def reveal(request_id: str, name: str, key_path: Path, folder: Path) -> None:
    """Show, once, what your approved REQUEST was for. What is printed is PHI."""
    asked = _one(folder, request_id)
    private = _private(key_path)
    said = read(REQUEST, asked["statement"])
    message = _signed(private, REVEAL, project=said["project"], by=name, request=request_id)
    told = _ask(folder, lambda client: client.reidentify(REVEAL, message))
    entry = _entry(said, told["entry"])
    mine, share = _share(entry, private)
    theirs, anew = told["share"]
    other = opened(private, bytes.fromhex(anew), sealed_for(request_id, key_id(private.public_key())))
    issuer, patient_id = entry.opened({mine: share, theirs: other})
    click.echo(f"Patient ID            {_printable(patient_id)}")
    click.echo(f"Issuer of Patient ID  {_printable(issuer)}")


def _ask(folder: Path, call: Callable[[ControlClient], Awaitable[Any]]) -> Any:
    async def work() -> Any:
        async with connect(folder) as client:
            if client is None:
                raise click.ClickException(f"no proxy answers at {folder}/control.sock")
            return await call(client)

    return asyncio.run(work())


def _one(folder: Path, request_id: str) -> Any:
    for each in _ask(folder, lambda client: client.reidentifications()):
        if each["request"] == request_id:
            return each
    raise click.ClickException(f"no request is called '{request_id}'; see: veil reidentify list")


def _said(asked: Any, requester: Path) -> tuple[Any, Officer]:
    """What was asked, as the owner of the certificate ``requester`` signed it: not as the proxy tells it."""
    to = officer(asked["requester"], load_certificate(requester), str(requester))
    if not to.signed(asked["statement"], asked["signature"]):
        raise click.ClickException("this request was not signed with the key of that certificate")
    return read(REQUEST, asked["statement"]), to


def _entry(said: Any, told: Any) -> Entry:
    return entry_of(Key(said["project"], told["key_epoch"], "patient", said["pseudonyms"][0]), told)


def _share(entry: Entry, private: ec.EllipticCurvePrivateKey) -> tuple[int, bytes]:
    mine = entry.shares.get(key_id(private.public_key()))
    if mine is None:
        raise click.ClickException("this entry was not written for your key")
    return mine[0], opened(private, bytes.fromhex(mine[1]), bound(entry.key))


def _signed(private: ec.EllipticCurvePrivateKey, action: str, **members: Any) -> Message:
    statement = written(action, at=int(time.time()), **members)
    return Message(statement, sign(private, statement))


def _private(path: Path) -> ec.EllipticCurvePrivateKey:
    key = read_private_key(path)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise click.ClickException(f"{path}: not a key on the curve P-256")
    return key


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "·" for c in text)
