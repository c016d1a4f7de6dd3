"""``veil reidentify``: two security officers read who one patient was, or, with an export, who many were.

Works through the socket of a running proxy, of this machine or forwarded by ssh. What is sent are signatures, and
shares that only the requester can open.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from cryptography.hazmat.primitives.asymmetric import ec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from proxy.commands import officers, reidentify_export
from proxy.service.reidentify_words import (
    APPROVE,
    APPROVE_EXPORT,
    EXPORT,
    REQUEST,
    REVEAL,
    Message,
    asked_in,
    read,
    sealed_for,
)
from proxy.store.officers import Officer, key_id, opened


@click.group("reidentify")
def reidentify() -> None:
    """Who was this patient? One officer asks, another approves, the first reads it, once. All of it is recorded."""


@reidentify.command("request")
@click.argument("pseudonym")
@officers.project
@officers.who
@officers.key
@officers.why
@officers.at
def request(pseudonym: str, project: str, name: str, key_path: Path, folder: Path, **why: Any) -> None:
    """Ask for the original Patient ID of PSEUDONYM; prints what the request is called."""
    private = officers.private_key(key_path)
    message = officers.request_of(private, REQUEST, project=project, by=name, pseudonyms=[pseudonym], **why)
    click.echo(officers.ask(folder, lambda client: client.reidentify(REQUEST, message)))


@reidentify.command("list")
@click.option("--json", "as_json", is_flag=True, help="one JSON array")
@officers.at
def list_requests(as_json: bool, folder: Path) -> None:
    """Requests and how they stand."""
    found = officers.ask(folder, lambda client: client.reidentifications())
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    table = Table(box=SIMPLE_HEAD)
    for heading in ("request", "stands", "project", "patient", "asked by, for", "approved by"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "request")
    for each in found:
        said = asked_in(each["statement"])
        why = f"{each['requester']}, {said['purpose']} {said['ticket']}"
        table.add_row(each["request"], each["state"], each["project"], _whom(said), why, each["approver"])
    Console(markup=False, emoji=False, highlight=False).print(table)


@reidentify.command("approve")
@click.argument("request_id", metavar="REQUEST")
@officers.who
@officers.key
@click.option(
    "--requester",
    type=officers.FILE,
    required=True,
    help="the certificate of who asks, PEM, as you have it from that person",
)
@click.option("--yes", is_flag=True, help="do not ask")
@officers.at
def approve(request_id: str, name: str, key_path: Path, requester: Path, yes: bool, folder: Path) -> None:
    """Approve another officer's REQUEST: your share of this entry, or of those of a list, for that officer alone."""
    asked = officers.one(folder, request_id)
    said, to = officers.said_by(asked, requester)
    click.echo(f"{to.name} asks for {_whom(said)} of {said['project']}: {said['purpose']}, {said['ticket']}")
    if not yes:
        click.confirm("approve?", abort=True)
    if asked["state"] != "asked":
        raise click.ClickException(f"this request does not wait for an approval: {asked['state']}")
    private = officers.private_key(key_path)
    step, approval = (APPROVE_EXPORT, reidentify_export.approval) if said["action"] == EXPORT else (APPROVE, _approval)
    message = approval(private, name, asked, said, to)
    officers.ask(folder, lambda client: client.reidentify(step, message))
    click.echo(f"approved: {to.name} can read it once")


@reidentify.command("reveal")
@click.argument("request_id", metavar="REQUEST")
@officers.who
@officers.key
@officers.at
def reveal(request_id: str, name: str, key_path: Path, folder: Path) -> None:
    """Show, once, what your approved REQUEST was for. What is printed is PHI."""
    asked = officers.one(folder, request_id)
    private = officers.private_key(key_path)
    said = read(REQUEST, asked["statement"])
    message = officers.signed(private, REVEAL, project=said["project"], by=name, request=request_id)
    told = officers.ask(folder, lambda client: client.reidentify(REVEAL, message))
    entry = officers.entry_in(said["project"], said["pseudonyms"][0], told["entry"])
    mine, share = officers.share_of(entry, private)
    theirs, anew = told["share"]
    other = opened(private, bytes.fromhex(anew), sealed_for(request_id, key_id(private.public_key())))
    issuer, patient_id = entry.opened({mine: share, theirs: other})
    click.echo(f"Patient ID            {officers.printable(patient_id)}")
    click.echo(f"Issuer of Patient ID  {officers.printable(issuer)}")


def _whom(said: Mapping[str, Any]) -> str:
    """Whom a request is for; of a list its number and digest."""
    many = said["action"] == EXPORT
    return f"{said['patients']} patients (list {said['list']})" if many else str(said["pseudonyms"][0])


def _approval(
    private: ec.EllipticCurvePrivateKey, name: str, asked: Mapping[str, Any], said: Mapping[str, Any], to: Officer
) -> Message:
    entry = officers.entry_in(said["project"], said["pseudonyms"][0], asked["entry"])
    x, share = officers.share_of(entry, private)
    anew = to.seal(share, sealed_for(asked["request"], to.key_id)).hex()
    members = {"request": asked["request"], "entry": entry.digest, "share": [x, anew]}
    return officers.signed(private, APPROVE, project=said["project"], by=name, **members)


for command in (reidentify_export.export, reidentify_export.collect, reidentify_export.open_file):
    reidentify.add_command(command)
