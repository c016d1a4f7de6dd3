from __future__ import annotations

import pytest

from proxy.wire.uri import Target, UriError, is_uid, parse_bulk_path, parse_frames, parse_query, parse_target


@pytest.mark.parametrize("uid", ["1", "2.25.1", "1.02.3", "1" * 64])
def test_uids(uid: str) -> None:
    assert is_uid(uid)


@pytest.mark.parametrize("uid", ["", ".", "1.", "1..2", "a", "1.2 ", "1" * 65, "1.2\n", "١"])
def test_what_is_no_uid(uid: str) -> None:
    assert not is_uid(uid)


def test_target() -> None:
    assert parse_target({"study": "1.2"}) == Target("1.2")
    full = parse_target({"study": "1.2", "series": "1.3", "instance": "1.4"})
    assert (full.level, full.path) == ("instance", "studies/1.2/series/1.3/instances/1.4")
    with pytest.raises(UriError, match="series"):
        parse_target({"study": "1.2", "series": "DROP"})


def test_attributes_by_tag_keyword_and_path() -> None:
    query = parse_query([("00100020", "A"), ("StudyDate", "2020-"), ("00400275.00401001", "R")])
    assert query.matches == {
        "PatientID": "A",
        "StudyDate": "2020-",
        "RequestAttributesSequence.RequestedProcedureID": "R",
    }


def test_private_and_unknown_tags_are_kept_as_tags() -> None:
    assert parse_query([("00091001", "x")]).matches == {"00091001": "x"}


def test_uid_lists_by_comma_and_backslash() -> None:
    assert parse_query([("StudyInstanceUID", "1.2,1.3")]).matches["StudyInstanceUID"] == "1.2\\1.3"
    assert parse_query([("0020000D", "1.2\\1.3")]).matches["StudyInstanceUID"] == "1.2\\1.3"


def test_ohif_study_list() -> None:
    query = parse_query(
        [("limit", "101"), ("offset", "0"), ("fuzzymatching", "false"), ("includefield", "00081030,00080060"),
         ("00100020", ""), ("00100010", "*name*"), ("includefield", "PatientAge")]
    )  # fmt: skip
    assert (query.limit, query.offset, query.ignored) == (101, 0, ())
    assert query.fields == ("StudyDescription", "Modality", "PatientAge")
    assert query.matches == {"PatientID": "", "PatientName": "*name*"}


def test_unsupported_parameters_are_named_once() -> None:
    query = parse_query([("fuzzymatching", "true"), ("emptyvaluematching", "true"), ("fuzzymatching", "true")])
    assert query.ignored == ("fuzzymatching", "emptyvaluematching")


def test_includefield_all() -> None:
    assert parse_query([("includefield", "all")]).fields == ("all",)
    assert parse_query([("includefield", "NoSuchKeyword")]).fields == ()


@pytest.mark.parametrize(
    "pairs",
    [
        [("NoSuchKeyword", "1")],
        [("PatientID", "a"), ("00100020", "b")],
        [("limit", "-1")],
        [("limit", "ten")],
        [("offset", "9999999999")],
        [("StudyInstanceUID", "1.2,abc")],
        [("StudyDate", "yesterday")],
        [("all", "1")],
        [("PatientName", "*a*a*a*a*a*")],
        [(f"0009{n:04X}", "") for n in range(0x1001, 0x1001 + 101)],
    ],
)
def test_bad_queries(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(UriError):
        parse_query(pairs)


def test_bulk_paths() -> None:
    assert parse_bulk_path("7FE00010") == (0x7FE00010,)
    assert parse_bulk_path("54000100/0/54001010") == (0x54000100, 0, 0x54001010)
    for bad in ("", "7FE00010/0", "x", "7FE00010/a/7FE00010", "../../etc", "7FE00010//7FE00010"):
        with pytest.raises(UriError):
            parse_bulk_path(bad)


def test_frames() -> None:
    assert parse_frames("1,3") == (1, 3)
    for bad in ("", "0", "1,", "a", "-1"):
        with pytest.raises(UriError):
            parse_frames(bad)
