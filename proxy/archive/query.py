"""A search over the index as one SQL statement, and its rows as DICOM JSON objects (PS3.18 10.6).

Attributes of a level and of those above it can be matched. Rows come in a total order (study date, study, series
number, series, instance number, instance), so that paging with limit and offset is stable. Runs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from proxy.archive.attributes import COMPUTED, LEVELS, MATCHABLE, shown
from proxy.archive.matching import condition
from proxy.archive.schema import BASE, INSTANCES, KEYS, SERIES, STUDIES
from proxy.wire.dicom_json import Json


def select(level: str, project: str, matches: Mapping[str, str]) -> sa.Select[Any]:
    """Every row at ``level`` that matches. ``matches`` by keywords of `MATCHABLE`."""
    query = _select(level).where(BASE[level].c.project == project)
    for keyword, asked in matches.items():
        owner, vr = MATCHABLE[keyword]
        wanted = condition(vr, KEYS.c.value, asked)
        if wanted is not None:
            query = query.where(_has_key(level, owner, keyword, wanted))
    return query


def _has_key(level: str, owner: str, keyword: str, wanted: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    base = BASE[level]
    shared = LEVELS[: LEVELS.index(owner) + 1]
    if keyword == "ModalitiesInStudy":  # any series of the study will do
        keyword = "Modality"
    same = [KEYS.c.project == base.c.project, *(KEYS.c[name] == base.c[name] for name in shared)]
    return sa.exists().where(*same, KEYS.c.keyword == keyword, wanted).correlate(base)


def _count(table: sa.Table, owner: sa.Table, *names: str) -> sa.ScalarSelect[int]:
    inner = table.alias()
    same = [inner.c.project == owner.c.project, *(inner.c[name] == owner.c[name] for name in names)]
    return sa.select(sa.func.count()).select_from(inner).where(*same).scalar_subquery()


def _select(level: str) -> sa.Select[Any]:
    """Every row at ``level`` with what is above it, in the total order that paging needs."""
    inner = SERIES.alias()
    modalities = (
        sa.select(sa.func.group_concat(inner.c.modality.distinct()))
        .where(inner.c.project == STUDIES.c.project, inner.c.study == STUDIES.c.study)
        .scalar_subquery()
    )
    columns: list[Any] = [
        STUDIES.c.json.label("study"),
        modalities.label("ModalitiesInStudy"),
        _count(SERIES, STUDIES, "study").label("NumberOfStudyRelatedSeries"),
        _count(INSTANCES, STUDIES, "study").label("NumberOfStudyRelatedInstances"),
    ]
    source: Any = STUDIES
    order: list[Any] = [STUDIES.c.date, STUDIES.c.study]
    if level != "study":
        source = source.join(SERIES, (SERIES.c.project == STUDIES.c.project) & (SERIES.c.study == STUDIES.c.study))
        columns += [SERIES.c.json.label("series")]
        columns += [_count(INSTANCES, SERIES, "study", "series").label("NumberOfSeriesRelatedInstances")]
        order += [SERIES.c.number, SERIES.c.series]
    if level == "instance":
        same = [INSTANCES.c[name] == SERIES.c[name] for name in ("project", "study", "series")]
        source = source.join(INSTANCES, sa.and_(*same))
        columns += [INSTANCES.c.json.label("instance"), INSTANCES.c.syntax.label("AvailableTransferSyntaxUID")]
        order += [INSTANCES.c.number, INSTANCES.c.instance]
    return sa.select(*columns).select_from(source).order_by(*order)


def answer(level: str, row: sa.RowMapping, fields: frozenset[str]) -> Json:
    """One DICOM JSON object: this level's attributes, the UIDs above, and what `includefield` adds."""
    answer: Json = {}
    everything = "all" in fields
    kept = {owner: json.loads(row[owner]) for owner in LEVELS[: LEVELS.index(level) + 1]}
    for owner, attribute in shown(level, fields):
        if attribute.tag in kept[owner]:
            answer[attribute.tag] = kept[owner][attribute.tag]
        elif attribute.required:
            answer[attribute.tag] = {"vr": attribute.vr}
    for keyword, (owner, tag, vr) in COMPUTED.items():
        if keyword in row and (owner == level or everything or keyword in fields):
            values = row[keyword].split(",") if keyword == "ModalitiesInStudy" and row[keyword] else [row[keyword]]
            answer[tag] = {"vr": vr, "Value": sorted(v for v in values if v not in (None, ""))}
    if level != "series":
        answer["00080056"] = {"vr": "CS", "Value": ["ONLINE"]}
    return dict(sorted(answer.items()))
