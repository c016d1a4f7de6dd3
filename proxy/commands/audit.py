"""``veil audit verify | witness | pubkey | hash | tail | export``: see that the audit stream is whole, and search it.

`verify` and `witness` need a copy of the folder and public keys, and nothing else of a site.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click

from proxy.audit.keys import AuditKey
from proxy.audit.keys import witness as witness_signer
from proxy.audit.notes import COSIGNS, BadNote, Verifier, joined
from proxy.audit.sink_file import segments
from proxy.audit.verify import ANY, Result, read_anchors, verify_folder
from proxy.audit.witness import Witness
from proxy.commands.audit_export import export, read_keys, verify_export
from proxy.commands.audit_tail import tail
from proxy.commands.options import config_option
from proxy.config import Config, load_config
from proxy.errors import ConfigError
from proxy.store.keys import create_key, load_key

#: below so many bytes of log, other processes are not worth their start
_WORTH = 64 << 20
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group("audit")
def audit() -> None:
    """The audit stream: verify it offline, witness it, search it."""


for _command in (tail, export, verify_export):
    audit.add_command(_command)


@audit.command("verify")
@click.argument("folder", type=_FOLDER)
@click.option("--pubkey", type=_FILE, help="what veil audit pubkey printed: the checkpoints must be signed by it")
@click.option("--anchor", help="SEQ:HASH or a file of checkpoints, kept elsewhere: finds a cut tail and an old copy")
@click.option("--witness", "witnesses", type=_FILE, multiple=True, help="its public key: it must have signed --anchor")
@click.option("--closed", is_flag=True, help="Veil was stopped: with --pubkey every record must be signed, to the last")
@click.option("--processes", type=click.IntRange(1, 64), help="by default one a core, for a large log")
def verify(
    folder: Path,
    pubkey: Path | None,
    anchor: str | None,
    witnesses: tuple[Path, ...],
    closed: bool,
    processes: int | None,
) -> None:
    """Verify the log in FOLDER (data/audit, or a copy). Status 1 when anything was changed, removed or cut."""
    keys = read_keys(pubkey) if pubkey is not None else ANY
    watching = [_verifier(path) for path in witnesses]
    if watching and anchor is None:
        raise click.UsageError("--witness is about --anchor: the checkpoints that the witness keeps")
    try:
        data = Path(anchor).read_bytes() if anchor and Path(anchor).is_file() else (anchor or "").encode()
        anchors = read_anchors(data, keys, watching) if anchor else []
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--anchor") from None
    result = verify_folder(folder, *anchors, keys=keys, complete=closed, processes=processes or _processes(folder))
    _say(result, f"; signed up to {result.signed}" if pubkey is not None else "")
    if not result.ok:
        sys.exit(1)


@audit.command("witness")
@click.argument("folder", type=_FOLDER)
@click.option("--pubkey", type=_FILE, required=True, help="of the log, got from its operator by hand")
@click.option(
    "--key", "key_file", type=click.Path(path_type=Path, dir_okay=False), required=True, help="of this witness"
)
@click.option("--memory", type=click.Path(path_type=Path, dir_okay=False), required=True, help="what it has co-signed")
@click.option("--name", default="witness", show_default=True, help="of this witness, in its signatures")
def witness(folder: Path, pubkey: Path, key_file: Path, memory: Path, name: str) -> None:
    """Co-sign the newest checkpoint of a copy in FOLDER, if the log has only grown since the last time.

    Prints the co-signed checkpoint. Status 1, and nothing signed, when anything is wrong. The first run makes the key.
    """
    if not key_file.exists():
        create_key(key_file)
    signer = witness_signer(name, load_key(key_file))
    click.echo(f"public key of this witness: {signer.verifier.text()}", err=True)
    try:
        seen = Witness(memory, signer, read_keys(pubkey)).look(folder, int(time.time()), _processes(folder))
    except ValueError as error:
        raise ConfigError(
            str(memory), str(error), "it begins anew with another --memory; ask who changed this one"
        ) from None
    if seen.note is not None:
        click.echo(joined([seen.note]).decode(), nl=False)
    else:
        _say(seen.result, "; nothing co-signed")
    if not seen.result.ok:
        sys.exit(1)


@audit.command("pubkey")
@click.option("--offline", "node", flag_value="offline", default="veil", help="of data/audit-offline (veil deid)")
@config_option
def pubkey(node: str, config_path: Path) -> None:
    """Print the public key that checkpoints are signed with, for whoever verifies or witnesses."""
    click.echo(_key(load_config(config_path)).signer(node or "veil").verifier.text())


@audit.command("new-key")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def new_key(file: Path) -> None:
    """Make a key in FILE, for audit.key_file of a site that has none, or for its next audit.key_epoch."""
    create_key(file)
    click.echo(f"wrote {file}; name it in veil.yaml: audit: {{key_file: {file.name}}}")


@audit.command("hash")
@click.argument("value")
@config_option
def hash_value(value: str, config_path: Path) -> None:
    """Print what stands in records for VALUE, an original identifier, by project; search the records for it."""
    config = load_config(config_path)
    key = _key(config)
    for project in config.projects:
        click.echo(f"{project}: {key.conceal(project, value)}")


def _key(config: Config) -> AuditKey:
    from proxy.site import audit_key  # the whole proxy, which nobody waits for who verifies a copy

    key = audit_key(config)
    if key is None:
        raise ConfigError("audit.key_file", "this site has none", "make one with: veil audit new-key FILE")
    return key


def _verifier(path: Path) -> Verifier:
    try:
        found = Verifier.read(path.read_text(encoding="ascii"))
        if found.kind != COSIGNS:
            raise BadNote("this is the key of a log, not of a witness")
        return found
    except ValueError as error:
        raise click.BadParameter(f"{path}: {error}", param_hint="--witness") from None


def _processes(folder: Path) -> int:
    size = sum(path.stat().st_size for path in segments(folder))
    return (os.cpu_count() or 1) if size > _WORTH else 1


def _say(result: Result, more: str) -> None:
    for problem in result.problems:
        click.echo(str(problem))
    state = "whole" if result.ok else "BROKEN"
    click.echo(f"{result.records} records; last {result.seq}:{result.hash}{more}; {state}")
