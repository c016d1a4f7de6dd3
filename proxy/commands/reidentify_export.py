"""``veil reidentify export | collect | open``: many patients at once, only as a file that two officers have signed.

The file holds what both have signed, and opens with its requester's key alone; the proxy has never seen what is in it.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

import click
from cryptography.hazmat.primitives.asymmetric import ec

from proxy.commands import officers
from proxy.errors import SealBroken
from proxy.service.reidentify_subjects import FORM, MANY
from proxy.service.reidentify_words import (
    APPROVE_EXPORT,
    COLLECT,
    EXPORT,
    Message,
    Refused,
    canonical,
    digest,
    read,
    request_id,
    sealed_for,
)
from proxy.store.crosswalk import bound
from proxy.store.keys import load_certificate
from proxy.store.officers import Officer, key_id, officer, opened

_SHARE = 33  # bytes: x, and a share of 32


@click.command("export")
@click.argument("list_path", metavar="LIST", type=officers.FILE)
@officers.project
@officers.who
@officers.key
@officers.why
@officers.at
def export(list_path: Path, project: str, name: str, key_path: Path, folder: Path, **why: Any) -> None:
    """Ask for the patients whose pseudonymous Patient IDs LIST has, one a line; prints what the request is called."""
    names = sorted({line.strip() for line in list_path.read_text(encoding="utf-8").splitlines()} - {""})
    attached = "".join(f"{each}\n" for each in names)
    members = {"list": digest(attached), "patients": len(names)}
    private = officers.private_key(key_path)
    message = officers.request_of(private, EXPORT, attached, project=project, by=name, **members, **why)
    click.echo(officers.ask(folder, lambda client: client.reidentify(EXPORT, message)))
    click.echo(f"{len(names)} patients, list {members['list']}", err=True)


@click.command("collect")
@click.argument("request_name", metavar="REQUEST")
@officers.who
@officers.key
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="a file that is not there yet"
)
@officers.at
def collect(request_name: str, name: str, key_path: Path, out: Path, folder: Path) -> None:
    """Write your approved export REQUEST into a file, once. Only your key opens it."""
    said = read(EXPORT, officers.one(folder, request_name)["statement"])
    private = officers.private_key(key_path)
    message = officers.signed(private, COLLECT, project=said["project"], by=name, request=request_name)
    with _new(out) as file, ExitStack() as undo:  # before it is used up
        undo.callback(out.unlink)
        text = canonical(officers.ask(folder, lambda client: client.reidentify(COLLECT, message)))
        undo.pop_all()  # used up: whatever happens now, what there is of it stays
        file.write(text)
    click.echo(f"{out}: {said['patients']} patients, SHA-256 {digest(text)}")


@click.command("open")
@click.argument("file", type=officers.FILE)
@officers.key
@click.option("--approver", type=officers.FILE, required=True, help="the certificate of who approved, PEM")
def open_file(file: Path, key_path: Path, approver: Path) -> None:
    """Check both signatures of an export FILE, and print what is in it as CSV. What is printed is PHI."""
    private = officers.private_key(key_path)
    try:
        told = json.loads(file.read_text(encoding="ascii"))
        if told["form"] != FORM:
            raise click.ClickException(f"{file}: another form of file than this version of veil reads")
        found = list(_rows(told, private, officer(told["approver"], load_certificate(approver), str(approver))))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise click.ClickException(f"{file}: not an export of veil reidentify") from None
    table = csv.writer(sys.stdout)
    table.writerow(("pseudonym", "patient_id", "issuer"))
    table.writerows(found)


def approval(
    private: ec.EllipticCurvePrivateKey, name: str, asked: Mapping[str, Any], said: Mapping[str, Any], to: Officer
) -> Message:
    """An approver's: his shares of every entry of the list that the requester signed, sealed to her in one."""
    if digest(asked["list"]) != said["list"] or request_id(asked["statement"]) != asked["request"]:
        raise click.ClickException("the list is not the one that was signed")
    pairs = zip(MANY.names(said, asked["list"]), asked["entries"], strict=True)
    entries = [officers.entry_in(said["project"], pseudonym, told) for pseudonym, told in pairs]
    shares = b"".join(bytes([x]) + share for x, share in (officers.share_of(entry, private) for entry in entries))
    attached = to.seal(shares, sealed_for(asked["request"], to.key_id)).hex()
    members = {"request": asked["request"], "entries": MANY.digest(entries, to.key_id), "shares": digest(attached)}
    return officers.signed(private, APPROVE_EXPORT, attached, project=said["project"], by=name, **members)


def _new(out: Path) -> TextIO:
    try:
        return out.open("x", encoding="ascii")
    except OSError as error:
        raise click.ClickException(f"{out}: {error.strerror}") from None


def _rows(
    told: Mapping[str, Any], private: ec.EllipticCurvePrivateKey, approver: Officer
) -> Iterator[tuple[str, str, str]]:
    asked, approved, entries = told["request"], told["approval"], told["entries"]
    me = Officer(told["requester"], key_id(private.public_key()), private.public_key())
    _check(me.signed(asked["statement"], asked["signature"]), "the request was not signed with your key")
    _check(approver.signed(approved["statement"], approved["signature"]), "that officer has not signed the approval")
    try:
        said, agreed = read(EXPORT, asked["statement"]), read(APPROVE_EXPORT, approved["statement"])
    except Refused:
        raise click.ClickException("what was signed is no export") from None
    name = request_id(asked["statement"])
    whole = agreed["request"] == name and agreed["shares"] == digest(approved["shares"])
    whole = whole and agreed["entries"] == digest(canonical(entries)) and said["list"] == digest(asked["list"])
    _check(whole and [row["pseudonym"] for row in entries] == MANY.names(said, asked["list"]), "the file was altered")
    shares = opened(private, bytes.fromhex(approved["shares"]), sealed_for(name, me.key_id))
    for at, row in enumerate(entries):
        entry = officers.entry_in(said["project"], row["pseudonym"], row | {"shares": {me.key_id: row["share"]}})
        x, mine = row["share"][0], opened(private, bytes.fromhex(row["share"][1]), bound(entry.key))
        theirs = shares[at * _SHARE : (at + 1) * _SHARE]
        issuer, patient_id = entry.opened({x: mine, theirs[0]: theirs[1:]})
        yield row["pseudonym"], officers.printable(patient_id), officers.printable(issuer)


def _check(good: bool, otherwise: str) -> None:
    if not good:
        raise SealBroken(otherwise)
