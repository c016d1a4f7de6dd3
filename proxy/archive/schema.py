"""The tables of the archive's index. Values are DICOM JSON texts and what can be matched; no behaviour."""

from __future__ import annotations

import sqlalchemy as sa

#: Another version on disk means a rebuild from the tree; there are no migrations.
VERSION = 1

METADATA = sa.MetaData()
STUDIES = sa.Table(
    "studies",
    METADATA,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("study", sa.Text, primary_key=True),
    sa.Column("date", sa.Text, nullable=False),
    sa.Column("json", sa.Text, nullable=False),
)
SERIES = sa.Table(
    "series",
    METADATA,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("study", sa.Text, primary_key=True),
    sa.Column("series", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("modality", sa.Text, nullable=False),
    sa.Column("json", sa.Text, nullable=False),
)
INSTANCES = sa.Table(
    "instances",
    METADATA,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("instance", sa.Text, primary_key=True),
    sa.Column("study", sa.Text, nullable=False),
    sa.Column("series", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("syntax", sa.Text, nullable=False),
    sa.Column("json", sa.Text, nullable=False),
    sa.Index("instances_by_series", "project", "study", "series"),
)
#: One row per value that can be matched. ``series`` and ``instance`` are "" above their level.
KEYS = sa.Table(
    "matching",
    METADATA,
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("study", sa.Text, nullable=False),
    sa.Column("series", sa.Text, nullable=False),
    sa.Column("instance", sa.Text, nullable=False),
    sa.Column("keyword", sa.Text, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Index("matching_by_value", "project", "keyword", "value"),
    sa.Index("matching_by_owner", "project", "study", "series", "instance"),
)
#: The table whose rows a search at a level answers with.
BASE = {"study": STUDIES, "series": SERIES, "instance": INSTANCES}
