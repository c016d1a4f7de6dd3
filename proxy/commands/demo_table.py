"""What ``veil demo`` shows: a table of what came in and what arrived, and where a newcomer looks next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table

from proxy.app import App
from proxy.service.ingest import Outcome
from proxy.service.ports import Peer


@dataclass(frozen=True, slots=True)
class Sent:
    """One file of the demo and what it said before it was sent."""

    name: str
    by: str
    modality: str
    patient_id: str
    study_date: str
    sop_instance_uid: str


class Ledger:
    """Outcomes by the sender's SOP Instance UID, in memory, for the table only."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}

    def note(self, peer: Peer, outcome: Outcome) -> None:
        """Called by the proxy for each instance."""
        if outcome.original is not None:
            self.outcomes[outcome.original.sop_instance_uid] = outcome


def table(sent: Sequence[Sent], ledger: Ledger, arrived: set[str]) -> Table:
    """What came in (first line of a row), what came out (second line). 80 columns are enough."""
    shown = Table(title="profile research: PS3.15 Basic, dates modified", title_justify="left", box=box.SIMPLE_HEAD)
    shown.add_column("file\nmodality, sent by", no_wrap=True, max_width=21)
    shown.add_column("Patient ID in\nout", no_wrap=True)
    shown.add_column("date in\nout", no_wrap=True)
    shown.add_column("removed /\nreplaced / kept", justify="right", no_wrap=True)
    shown.add_column("ms", justify="right", no_wrap=True)
    shown.add_column("got\nit")
    shown.padding = (0, 1, 0, 0)
    for s in sent:
        shown.add_row(*row(s, ledger.outcomes.get(s.sop_instance_uid), s.sop_instance_uid in arrived))
    return shown


def row(s: Sent, outcome: Outcome | None, arrived: bool) -> tuple[str, ...]:
    """The cells of one instance."""
    report = outcome.report if outcome else None
    if outcome is None or report is None:
        why = str(outcome.reason) if outcome else "not accepted"
        return (f"{s.name}\n{s.modality}, {s.by}", f"{s.patient_id or '-'}\n{why}", s.study_date, "held", "", "no")
    c = report.counts
    replaced = sum(c.get(how, 0) for how in ("replaced", "remapped", "shifted", "emptied"))
    return (
        f"{s.name}\n{s.modality}, {s.by}",
        f"{s.patient_id}\n{report.patient_id}",
        f"{s.study_date or '-'}\n{report.study_date or '-'}",
        f"{c.get('removed', 0)} / {replaced} / {c.get('kept', 0)}",
        f"{outcome.milliseconds:.{1 if outcome.milliseconds < 100 else 0}f}",
        "yes" if arrived else "no",
    )


def addresses(app: App, study: str, people: Mapping[str, str], console: Console) -> None:
    """Where a newcomer looks next; ``study``: the pseudonymous UID of one with an image worth a look.

    ``people``: who can sign in at the console → password.
    """
    base = f"http://{app.config.http.host}:{app.http.port}"
    console.print(f"  console   {base}/console", soft_wrap=True)
    for name, password in people.items():
        console.print(f"            sign in as [bold]{name}[/] with {password}", soft_wrap=True, highlight=False)
    if app.config.http.viewer_dir is not None:
        console.print(f"  images    {base}/viewer/", soft_wrap=True)
        console.print(f"            {base}/viewer/viewer?StudyInstanceUIDs={study}", soft_wrap=True)
    else:
        console.print("  images    no viewer yet: make viewer fetches one, then make demo again")
    console.print(f"  QIDO-RS   curl {base}/dicomweb/research/studies")
    console.print(f"  send      storescu -aec VEIL {app.config.dimse.host} {app.dimse.port} FILE")
    console.print(f"  health    {base}/readyz")
    console.print(f"  audit     {app.config.data_dir / 'audit'}  (veil audit verify FOLDER)")
    console.print(f"  archive   {app.config.data_dir / 'archive'}")
