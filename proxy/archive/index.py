"""The archive's index: one SQLite file, SQLAlchemy Core, one connection that one thread uses.

It holds nothing that the tree does not: another `VERSION`, or a file that SQLite cannot read, means a rebuild. Each
change is one durable transaction (WAL, synchronous=FULL). Blocks: `proxy.archive.archive` owns the thread.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from proxy.archive.attributes import ATTRIBUTES, LEVELS, NESTED, REQUEST, UID_OF
from proxy.archive.matching import index_values
from proxy.archive.query import answer, select
from proxy.archive.schema import INSTANCES, KEYS, METADATA, SERIES, STUDIES, VERSION
from proxy.wire.dicom_json import Json, first_value

_TAGS = {a.keyword: a.tag for rows in ATTRIBUTES.values() for a in rows}


@dataclass(frozen=True, slots=True)
class Entry:
    """One instance for the index: where its file is and the few elements of it that the index keeps."""

    project: str
    path: str
    syntax: str
    json: Json

    def uid(self, level: str) -> str:
        """The instance's UID at ``level``."""
        return first_value(self.json, _TAGS[UID_OF[level]])


class Index:
    """The open index. Use it from one thread."""

    def __init__(self, path: Path) -> None:
        self._engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.NullPool)
        try:
            self._connection = self._engine.connect()
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000"):
                self._connection.exec_driver_sql(f"PRAGMA {pragma}")
            found = self._connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            self._connection.commit()
        except sa.exc.DatabaseError:
            found = -1
        self.usable = found == VERSION

    def create(self) -> None:
        """Make the tables of an empty file."""
        with self._connection.begin():
            METADATA.create_all(self._connection)
            self._connection.exec_driver_sql(f"PRAGMA user_version={VERSION}")

    def close(self) -> None:
        """Give the file back."""
        if hasattr(self, "_connection"):
            self._connection.close()
        self._engine.dispose()

    def find(self, project: str, instance: str) -> str | None:
        """Where an instance's file is, by SOP Instance UID."""
        where = (INSTANCES.c.project == project) & (INSTANCES.c.instance == instance)
        with self._connection.begin():
            return self._connection.execute(sa.select(INSTANCES.c.path).where(where)).scalar_one_or_none()

    def add(self, entry: Entry) -> str | None:
        """Index an instance; returns the path of the file that it replaces, where that is another one."""
        instance = entry.uid("instance")
        with self._connection.begin():
            old = self._forget(entry.project, instance)
            self._put(STUDIES, "study", entry, date=first_value(entry.json, "00080020"))
            number = _integer(first_value(entry.json, "00200011"))
            self._put(SERIES, "series", entry, number=number, modality=first_value(entry.json, "00080060"))
            number = _integer(first_value(entry.json, "00200013"))
            self._put(INSTANCES, "instance", entry, number=number, path=entry.path, syntax=entry.syntax)
            if old is not None:
                self._prune(entry.project, old.study, old.series)
        return old.path if old is not None and old.path != entry.path else None

    def _put(self, table: sa.Table, level: str, entry: Entry, **columns: Any) -> None:
        kept = {a.tag: entry.json[a.tag] for a in ATTRIBUTES[level] if a.tag in entry.json}
        names = LEVELS[: LEVELS.index(level) + 1]
        owner = {"project": entry.project} | {name: entry.uid(name) for name in names}
        text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
        same = sa.and_(*(table.c[name] == value for name, value in owner.items()))
        if self._connection.execute(sa.select(table.c.json).where(same)).scalar_one_or_none() == text:
            return
        statement = insert(table).values(**owner, **columns, json=text)
        self._connection.execute(statement.on_conflict_do_update(set_={**columns, "json": text}))
        full = dict.fromkeys(LEVELS, "") | owner
        self._connection.execute(sa.delete(KEYS).where(*(KEYS.c[name] == value for name, value in full.items())))
        keys = [{**full, "keyword": keyword, "value": value} for keyword, value in _key_values(level, kept)]
        if keys:
            self._connection.execute(sa.insert(KEYS), keys)

    def _forget(self, project: str, instance: str) -> Any:
        where = (INSTANCES.c.project == project) & (INSTANCES.c.instance == instance)
        columns = (INSTANCES.c.study, INSTANCES.c.series, INSTANCES.c.path)
        old = self._connection.execute(sa.select(*columns).where(where)).one_or_none()
        if old is not None:
            self._connection.execute(sa.delete(INSTANCES).where(where))
            mine = (KEYS.c.project == project, KEYS.c.study == old.study, KEYS.c.instance == instance)
            self._connection.execute(sa.delete(KEYS).where(*mine))
        return old

    def _prune(self, project: str, study: str, series: str) -> None:
        """Drop a series and a study that the last instance has left."""
        for table, owner in ((SERIES, {"study": study, "series": series}), (STUDIES, {"study": study})):
            rest = [INSTANCES.c.project == project, *(INSTANCES.c[name] == uid for name, uid in owner.items())]
            if self._connection.execute(sa.select(INSTANCES.c.path).where(*rest).limit(1)).first() is None:
                for place in (table, KEYS):
                    mine = [place.c.project == project, *(place.c[name] == uid for name, uid in owner.items())]
                    self._connection.execute(sa.delete(place).where(*mine))

    def paths(self, project: str, study: str, series: str, instance: str) -> list[str]:
        """Files in a stable order."""
        i = INSTANCES.c
        wanted = [i.project == project, i.study == study]
        wanted += [i.series == series] if series else []
        wanted += [i.instance == instance] if instance else []
        query = sa.select(i.path).where(*wanted).order_by(i.series, i.number, i.instance)
        with self._connection.begin():
            return list(self._connection.execute(query).scalars())

    def search(
        self, project: str, level: str, matches: Mapping[str, str], fields: Sequence[str], limit: int, offset: int
    ) -> list[Json]:
        """See `proxy.service.ports.Archive.search`."""
        query = select(level, project, matches).limit(limit).offset(offset)
        with self._connection.begin():
            rows = self._connection.execute(query).mappings().all()
        return [answer(level, row, frozenset(fields)) for row in rows]


def _key_values(level: str, kept: Json) -> list[tuple[str, str]]:
    pairs = [
        (a.keyword, value) for a in ATTRIBUTES[level] if a.tag in kept for value in index_values(a.vr, kept[a.tag])
    ]
    if level == "series":
        for item in kept.get(_TAGS[REQUEST], {}).get("Value", []):
            pairs += [(key, value) for key, tag in NESTED.items() for value in index_values("SH", item.get(tag, {}))]
    return sorted(set(pairs))


def _integer(text: str) -> int:
    return int(text) if text.lstrip("-").isdigit() and len(text) < 18 else 0
