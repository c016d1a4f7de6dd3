"""What a proxy does, made of its `Stores`: ingest, delivery, readers, commitment, what people operate. Only wires."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from proxy.clinical import Clinical
from proxy.comparing import make_asked
from proxy.config_destinations import ApplicationEntity
from proxy.identity import keep_days, load_drawers, make_identity
from proxy.reading import Parts, Readers
from proxy.service.commitment import Commitment
from proxy.service.compare import Compare
from proxy.service.decoding import Decoding
from proxy.service.deliver import Deliver
from proxy.service.destinations import Destinations
from proxy.service.devices import Devices
from proxy.service.identifying import Identifying
from proxy.service.ingest import Ingest, ProjectRoute
from proxy.service.keeping import Keeping
from proxy.service.preview import Preview
from proxy.service.reconcile import Reconcile, hidden
from proxy.service.reidentify import Reidentify
from proxy.service.replay import Replay
from proxy.site import make_sender
from proxy.store.commitment_reports import CommitmentReports
from proxy.store.commitments import Commitments
from proxy.store.devices import DeviceRows
from proxy.store.keys import load_key
from proxy.store.pauses import PauseRows
from proxy.store.queue import Queue
from proxy.store.studies import Studies
from proxy.store.study_look import StudyLook
from proxy.stores import Stores
from proxy.workers.begun import Begun
from proxy.workers.rotation import Rotation


@dataclass(frozen=True, slots=True)
class Works:
    """The use cases, wired."""

    queue: Queue
    judge: Rotation
    decoding: Decoding
    deliver: Deliver
    destinations: Destinations
    officers: Reidentify
    reconcile: Reconcile
    compare: Compare
    devices: Devices
    ingest: Ingest
    keeping: Keeping
    readers: Readers
    commitment: Commitment
    clinical: Clinical


async def open_works(
    stores: Stores, stack: AsyncExitStack, servers: bool, drain: Callable[[], float], begun: list[Begun]
) -> Works:
    """Wire all of it; without ``servers`` no worker runs until one is needed, and nothing is counted by device.

    ``drain``: seconds that deliveries under way are given at a stop. ``begun``: see `Ruling.pool`.
    """
    config = stores.config
    queue = await Queue.open(stores.database, stores.spool.remove)
    await stores.spool.sweep(await queue.referenced())
    judge = await _judge(stores, stack, servers, begun)
    decoding = Decoding(judge, stores.gate, config.limits.instance_bytes)
    deliver = _deliver(stores, queue, decoding)
    destinations = Destinations(
        config.destinations, deliver, PauseRows(stores.database), stores.audit, queue.requeue_failed
    )
    await destinations.load()
    identifying, officers = make_identity(stores.database, stores.audit, load_drawers(config), keep_days(config))
    studies = Studies(stores.database)
    reconcile = _reconcile(stores, studies)
    asked = make_asked(config, stores.archive, stores.certificates)
    devices = Devices(judge, DeviceRows(stores.database))
    stack.push_async_callback(devices.stop)
    ingest = _ingest(stores, queue, devices, deliver, identifying, reconcile)
    replay = Replay(ingest, stores.quarantine, stores.audit, config.limits.instance_bytes, studies.gone)
    preview = Preview(judge, stores.quarantine, stores.audit, config.limits.instance_bytes)
    commitment, clinical = _clinical(stores, queue)

    async def stop_deliver() -> None:
        await deliver.stop(drain())

    stack.push_async_callback(stop_deliver)
    if servers:
        devices.start()
    return Works(
        queue=queue,
        judge=judge,
        decoding=decoding,
        deliver=deliver,
        destinations=destinations,
        officers=officers,
        reconcile=reconcile,
        compare=Compare(StudyLook(stores.database).delivered, asked, stores.audit),
        devices=devices,
        ingest=ingest,
        keeping=Keeping(stores.quarantine, replay, preview),
        readers=_readers(stores, judge),
        commitment=commitment,
        clinical=clinical,
    )


async def _judge(stores: Stores, stack: AsyncExitStack, servers: bool, begun: list[Begun]) -> Rotation:
    pool = stores.ruling.pool(begun)
    judge = Rotation(pool, started=servers)
    stack.push_async_callback(judge.close)
    if servers:
        await pool.start()
    return judge


def _deliver(stores: Stores, queue: Queue, decoding: Decoding) -> Deliver:
    destinations, certificates = stores.config.destinations, stores.certificates
    senders = {
        name: make_sender(d, stores.archive, certificates.get(f"destinations.{name}.tls"), decoding)
        for name, d in destinations.items()
    }
    wide = {name: d.associations for name, d in destinations.items() if isinstance(d, ApplicationEntity)}
    return Deliver(queue, stores.spool, stores.audit, senders, more=wide)


def _reconcile(stores: Stores, studies: Studies) -> Reconcile:
    projects = {name: project.destinations for name, project in stores.config.projects.items()}
    policies = stores.ruling

    def pseudonym(project: str, uid: str) -> str:
        return hidden(policies.policies[project], uid)

    return Reconcile(studies, stores.quarantine.list, pseudonym, projects)


def _ingest(
    stores: Stores, queue: Queue, devices: Devices, deliver: Deliver, identifying: Identifying, reconcile: Reconcile
) -> Ingest:
    projects = stores.config.projects
    routes = {n: ProjectRoute(tuple(p.destinations), p.held_answer) for n, p in projects.items()}
    known = deliver.notify, identifying.remember, reconcile.count
    return Ingest(devices, stores.spool, queue, stores.quarantine, stores.audit, routes, *known)


def _readers(stores: Stores, judge: Rotation) -> Readers:
    parts = Parts(stores.config, stores.archive, stores.audit, stores.database, judge, stores.gate, stores.certificates)
    return Readers(parts, stores.ruling.policies)


def _clinical(stores: Stores, queue: Queue) -> tuple[Commitment, Clinical]:
    ruling = stores.ruling
    requests = Commitments(stores.database, load_key(stores.config.node_key_file))
    commitment = Commitment(requests, queue, stores.audit, lambda project: ruling.policies[project])
    reports = CommitmentReports(stores.database, requests)
    return commitment, Clinical(stores.config, commitment, reports, stores.audit, stores.certificates)
