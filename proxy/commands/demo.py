"""``veil demo``: a proxy on loopback, two senders, a table of what came in and what arrived.

Uses only the DICOM files that pydicom carries. The site lies in a temporary folder that goes when the demo ends.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import click
import uvloop
from pydicom import dcmread
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from proxy.app import App
from proxy.commands.demo_table import Ledger, Sent, addresses, table
from proxy.commands.init import write_site
from proxy.config import Config, load_config
from proxy.logs import configure
from proxy.service.callers import EVERY
from proxy.service.passwords import Passwords
from proxy.service.people import Account, Role
from proxy.store.accounts import FILE, changing

#: what the demo sends: by C-STORE as a modality, by STOW-RS as a gateway
_MODALITY = ("CT_small.dcm", "MR_small.dcm", "rtplan.dcm", "rtdose.dcm", "waveform_ecg.dcm")
#: the last one has no Patient ID, so that no pseudonym can be made: it is held
_GATEWAY = ("693_J2KI.dcm", "examples_overlay.dcm", "liver_1frame.dcm", "GDCMJ2K_TextGBR.dcm")
_HELD = frozenset({"GDCMJ2K_TextGBR.dcm"})
#: who can sign in at the console: name → role
_PEOPLE = {"officer": Role.OFFICER, "admin": Role.ADMINISTRATOR}
#: whose study the link opens
_LOOK = "CT_small.dcm"
_SITE = """\
version: 1
node_key_file: keys/node.key
audit: {key_file: keys/audit.key}
dimse: {port: 0}
http: {port: 0}
console: {enabled: true}
destinations:
  archive: {type: archive}
projects:
  research:
    ae_titles: [VEIL]
    path: research
    key_file: keys/research.key
    destinations: [archive]
"""


@click.command("demo")
@click.option("--once", is_flag=True, help="stop when all have arrived; status 0 when they did")
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="use and keep this folder")
@click.option(
    "--viewer",
    type=click.Path(path_type=Path, file_okay=False),
    default="build/viewer",
    show_default=True,
    help="where make viewer put OHIF; the demo does without if it is not there",
)
def demo(once: bool, keep: Path | None, viewer: Path) -> None:
    """Start Veil, send it DICOM as two clients would, show what arrives."""
    configure()
    if keep is not None:
        sys.exit(uvloop.run(run(keep, once, viewer)))
    with tempfile.TemporaryDirectory(prefix="veil-demo-") as folder:
        sys.exit(uvloop.run(run(Path(folder) / "site", once, viewer)))


async def run(folder: Path, once: bool, viewer: Path) -> int:
    """0 when every file arrived in the archive but those that are to be held."""
    console = Console()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    ledger = Ledger()
    site = folder / "veil.yaml"
    config = load_config(site if site.exists() else write_site(folder, _SITE))
    people = add_people(config)
    app = App(with_viewer(config, viewer), ledger.note)
    console.print("starting Veil (workers, rules, archive) ...")
    await app.start()
    try:
        sent = [described(n, "C-STORE") for n in _MODALITY] + [described(n, "STOW-RS") for n in _GATEWAY]
        arrived = await send(app, sent, console)
        console.print(table(sent, ledger, arrived))
        console.print(f"{len(arrived)} of {len(sent)} arrived de-identified, what did not is held and kept encrypted")
        console.print("(original values are shown for test files only)")
        study = app.policies["research"].pseudonyms().uid(str(dcmread(bundled(_LOOK)).StudyInstanceUID))
        addresses(app, study, people, console)
        if not once and not stop.is_set():
            console.print("\nserving; Ctrl-C ends it")
            await stop.wait()
        fates = {one.name: one.sop_instance_uid in arrived for one in sent}
        return 0 if fates == {name: name not in _HELD for name in fates} else 1
    finally:
        await app.stop(drain=5.0)


def with_viewer(config: Config, folder: Path) -> Config:
    """``config``, with the viewer in ``folder`` if there is one."""
    if config.http.viewer_dir is not None or not (folder / "index.html").exists():
        return config
    http = config.http.model_copy(update={"viewer_dir": folder.resolve()})
    return config.model_copy(update={"http": http})


def add_people(config: Config) -> dict[str, str]:
    """Accounts for the console with passwords of this run: name → password."""
    passwords = {name: secrets.token_urlsafe(12) for name in _PEOPLE}
    config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with changing(config.data_dir / FILE) as accounts:
        for name, role in _PEOPLE.items():
            accounts[name] = Account(name, {EVERY: frozenset({role})}, Passwords().hashed(passwords[name]))
    return passwords


def bundled(name: str) -> Path:
    """A DICOM file that pydicom carries in its wheel."""
    return Path(str(resources.files("pydicom").joinpath("data", "test_files", name)))


def described(name: str, by: str) -> Sent:
    """Read what the table needs of a file."""
    ds = dcmread(bundled(name), stop_before_pixels=True)
    date = str(ds.get("StudyDate", ""))
    return Sent(name, by, str(ds.get("Modality", "?")), str(ds.get("PatientID", "")), date, str(ds.SOPInstanceUID))


async def send(app: App, sent: Sequence[Sent], console: Console) -> set[str]:
    """Run both senders; wait until each instance lies in the archive. Returns the sender's UIDs that arrived."""
    base = f"http://{app.config.http.host}:{app.http.port}/dicomweb/research"
    target = (app.config.dimse.host, str(app.dimse.port), "VEIL")
    modality = [str(bundled(s.name)) for s in sent if s.by == "C-STORE"]
    gateway = [str(bundled(s.name)) for s in sent if s.by == "STOW-RS"]
    clients = [await client("dimse", *target, *modality), await client("stow", base, *gateway)]
    columns = (TextColumn("[progress.description]{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("delivered", total=len(sent))
        for _ in range(600):
            counts = (await app.works.queue.counts()).get("archive", {})
            progress.update(bar, completed=counts.get("delivered", 0))
            done = all(c.returncode is not None for c in clients)
            if done and not counts.get("waiting", 0) + counts.get("in_flight", 0):
                break
            await asyncio.sleep(0.1)
    ends = [await c.wait() for c in clients]
    if any(ends):
        console.print(f"a sender ended with status {ends}")
    return await arrivals(app, sent)


async def client(*arguments: str) -> asyncio.subprocess.Process:
    """A sender in a process of its own."""
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "proxy.commands.demo_clients", *arguments)


async def arrivals(app: App, sent: Sequence[Sent]) -> set[str]:
    """Ask the archive for each instance by its pseudonym."""
    found: set[str] = set()
    for s in sent:
        pseudonym = app.policies["research"].pseudonyms().uid(s.sop_instance_uid)
        if await app.stores.archive.search("research", "instance", {"SOPInstanceUID": pseudonym}, (), 1, 0):
            found.add(s.sop_instance_uid)
    return found
