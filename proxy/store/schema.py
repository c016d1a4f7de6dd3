"""The tables. Only types and constraints that SQLite and PostgreSQL share. Nothing in them is clear PHI.

A change here needs a migration in `proxy.store.migrations.versions` and a new `HEAD`; a test compares the two.
"""

from __future__ import annotations

import sqlalchemy as sa

#: The newest migration. Kept here so that an up-to-date database opens without importing alembic.
HEAD = "0008"

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

WAITING, IN_FLIGHT, DELIVERED, FAILED = "waiting", "in_flight", "delivered", "failed"

#: One row per (instance, destination). UIDs and the PatientID are pseudonymous: rows are made from released instances.
delivery = sa.Table(
    "delivery",
    metadata,
    # AUTOINCREMENT in SQLite: an id is never given to a second row, audit records refer to it
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("destination", sa.Text, nullable=False),
    sa.Column("sop_instance_uid", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("spool_name", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sop_class_uid", sa.Text, nullable=False),
    sa.Column("transfer_syntax_uid", sa.Text, nullable=False),
    sa.Column("study_instance_uid", sa.Text, nullable=False),
    sa.Column("series_instance_uid", sa.Text, nullable=False),
    sa.Column("patient_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("queued_at", sa.Double, nullable=False),
    sa.Column("due_at", sa.Double, nullable=False),
    sa.Column("last_code", sa.Text, nullable=False),
    sa.CheckConstraint("state IN ('waiting', 'in_flight', 'delivered', 'failed')", name="state"),
    sa.UniqueConstraint("project", "destination", "sop_instance_uid", "sha256", name="uq_delivery_instance"),
    sa.Index("ix_delivery_due", "destination", "state", "due_at", "id"),
    sa.Index("ix_delivery_spool_name", "spool_name"),
    sa.Index("ix_delivery_study", "project", "study_instance_uid"),
    sqlite_autoincrement=True,
)

#: How often instances of a study came (``again``: those that were there already), by pseudonymous Study Instance UID;
#: "" is for those whose study could not be read. ``forgotten``: rows of its instances were over and are gone.
study = sa.Table(
    "study",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("study_instance_uid", sa.Text, primary_key=True),
    sa.Column("received", sa.BigInteger, nullable=False),
    sa.Column("again", sa.BigInteger, nullable=False),
    sa.Column("forgotten", sa.Boolean, nullable=False),
    sa.Column("first_at", sa.Double, nullable=False),
    sa.Column("last_at", sa.Double, nullable=False),
    sa.Index("ix_study_last_at", "last_at"),
)

#: Entries of quarantine by study, also those that have left it.
held_instance = sa.Table(
    "held_instance",
    metadata,
    sa.Column("entry", sa.Text, primary_key=True),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("study_instance_uid", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.CheckConstraint("state IN ('held', 'replayed', 'purged')", name="state"),
    sa.Index("ix_held_instance_study", "project", "study_instance_uid"),
)

#: Destinations that an operator has paused: since when, why, and who, as in the audit trail.
destination_pause = sa.Table(
    "destination_pause",
    metadata,
    sa.Column("destination", sa.Text, primary_key=True),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("ticket", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
)

#: What each key was at first start: a keyed value of a constant, which says nothing about the key itself.
key_check = sa.Table(
    "key_check",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False, unique=True),
)

#: The crosswalk's translation drawer: pseudonym → original, sealed under the node key (see `proxy.store.crosswalk`).
translation = sa.Table(
    "translation",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("key_epoch", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("pseudonym", sa.Text, primary_key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)

#: Requests for storage commitment. They name originals: ``request`` is a keyed value of the transaction UID, what was
#: asked for is sealed under the node key (see `proxy.store.commitments`).
commitment = sa.Table(
    "commitment",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("request", sa.Text, primary_key=True),
    sa.Column("asked_at", sa.Double, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)

#: Reports that are owed to application entities that asked by DIMSE; ``sealed`` is the transaction UID. ``settled_at``
#: is 0 while instances are under way. The AE titles are those of the request.
commitment_report = sa.Table(
    "commitment_report",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("request", sa.Text, primary_key=True),
    sa.Column("requester", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("asked_at", sa.Double, nullable=False),
    sa.Column("settled_at", sa.Double, nullable=False),
    sa.Column("due_at", sa.Double, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("last_code", sa.Text, nullable=False),
    sa.CheckConstraint("state IN ('waiting', 'owed', 'reported', 'given_up')", name="state"),
    sa.Index("ix_commitment_report_due", "state", "due_at"),
)

#: The crosswalk's identity drawer: one entry a patient, sealed to security officers (see `proxy.store.identities`).
identity = sa.Table(
    "identity",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("pseudonym", sa.Text, primary_key=True),
    sa.Column("key_epoch", sa.Integer, nullable=False),
    sa.Column("officers", sa.Text, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)

#: Requests of officers to read one entry, as they signed them. ``approval``: as the second officer signed it, or "".
reidentification = sa.Table(
    "reidentification",
    metadata,
    sa.Column("request", sa.Text, primary_key=True),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("requester", sa.Text, nullable=False),
    sa.Column("statement", sa.Text, nullable=False),
    sa.Column("signature", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("asked_at", sa.Double, nullable=False),
    sa.Column("expires_at", sa.Double, nullable=False),
    sa.Column("approver", sa.Text, nullable=False),
    sa.Column("approval", sa.Text, nullable=False),
    sa.CheckConstraint("state IN ('asked', 'approved', 'revealed')", name="state"),
    sa.Index("ix_reidentification_requester", "project", "requester", "asked_at"),
)

#: How many instances came from which kind of device, what answered for their pixels, and when the last one was counted.
#: Manufacturer and model as instances leave with them; strings from outside, so bounded in length and in number.
device_seen = sa.Table(
    "device_seen",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("manufacturer", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("modality", sa.Text, primary_key=True),
    sa.Column("sop_class_uid", sa.Text, primary_key=True),
    sa.Column("answer", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, primary_key=True),
    sa.Column("instances", sa.BigInteger, nullable=False),
    sa.Column("last_at", sa.Double, nullable=False),
)
