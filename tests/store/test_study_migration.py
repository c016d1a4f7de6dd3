"""A database of before: the studies that its queue knows are counted as sent once; back and forth loses no row."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from proxy.store import sqlite
from proxy.store.schema import delivery, study
from proxy.store.study_rows import studies

_ROW = {
    "project": "research", "sha256": "a", "spool_name": "", "size": 1, "sop_class_uid": "", "transfer_syntax_uid": "",
    "series_instance_uid": "", "patient_id": "", "state": "delivered", "attempts": 0, "due_at": 0.0, "last_code": "",
}  # fmt: skip


def row(study_uid: str, uid: str, destination: str, at: float) -> dict[str, object]:
    said = {"study_instance_uid": study_uid, "sop_instance_uid": uid, "destination": destination, "queued_at": at}
    return {**_ROW, **said}


def test_studies_of_before_are_counted_and_add_up(tmp_path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(sqlite.__file__).parent / "migrations"))
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'veil.db'}", poolclass=sa.NullPool)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0007")
        both = [row("2.25.1", uid, where, at) for uid, at in (("1", 5.0), ("2", 9.0)) for where in ("pacs", "archive")]
        connection.execute(sa.insert(delivery), [*both, row("2.25.2", "3", "pacs", 7.0)])
        for _ in range(2):
            command.upgrade(config, "head")
            found = studies(connection, ["research"], "", "", None, 10)
            assert [(s.uid, s.received, s.again, s.instances, s.first_at, s.last_at) for s in found] == [
                ("2.25.1", 2, 0, 2, 5.0, 9.0), ("2.25.2", 1, 0, 1, 7.0, 7.0),
            ]  # fmt: skip
            command.downgrade(config, "0007")
            assert not sa.inspect(connection).has_table(study.name)
        assert connection.execute(sa.select(sa.func.count()).select_from(delivery)).scalar() == 5
