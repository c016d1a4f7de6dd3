"""How each program asks for what, in its own words: who → what it is told to do. See `interop`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pydicom

from tests.peers.interop import Everybody

ECHO: dict[str, Callable[[Everybody], bool]] = {
    "echoscu": lambda all: "Received Echo Response (Success)" in all.dcmtk("echoscu"),
    "gdcmscu": lambda all: re.search(r"\(0000,0900\) \?\? \(US\) 0 ", all.gdcm("--echo")) is not None,
    "pynetdicom": lambda all: "Status: 0x0000 - Success" in all.application("echoscu"),
    "Orthanc": lambda all: all.ask_orthanc("/modalities/veil/echo", {}) == {},
}

SEND: dict[str, Callable[[Everybody, Path], object]] = {
    "storescu": lambda all, folder: all.dcmtk("storescu", "-R", "+sd", folder),
    "dcmsend": lambda all, folder: all.dcmtk("dcmsend", "+sd", folder),
    "gdcmscu": lambda all, folder: [all.gdcm("--store", "-i", file) for file in folder.iterdir()],
    "pynetdicom": lambda all, folder: all.application("storescu", folder, "-r"),
    "Orthanc": lambda all, folder: all.ask_orthanc(
        "/modalities/veil/store",
        [all.ask_orthanc("/instances", file.read_bytes())["ID"] for file in folder.iterdir()],
    ),
}


def key(study: pydicom.Dataset, *more: str) -> tuple[str, ...]:
    keys = ("QueryRetrieveLevel=STUDY", f"StudyInstanceUID={study.StudyInstanceUID}", *more)
    return tuple(word for each in keys for word in ("-k", each))


def orthanc_found(all_of_them: Everybody, study: pydicom.Dataset) -> str:
    """The path of a query of Orthanc's."""
    asked = {"Level": "Study", "Query": {"StudyInstanceUID": str(study.StudyInstanceUID)}}
    return str(all_of_them.ask_orthanc("/modalities/veil/query", asked)["Path"])


FIND: dict[str, Callable[[Everybody, pydicom.Dataset], str]] = {
    "findscu": lambda all, study: all.dcmtk("findscu", "-S", *key(study, "PatientID")),
    "pynetdicom": lambda all, study: all.application("findscu", "-S", *key(study, "PatientID=")),
    "gdcmscu": lambda all, study: all.gdcm(
        "--find", "--studyroot", "--study", "--key", f"20,d={study.StudyInstanceUID}"
    ),
    "Orthanc": lambda all, study: str(all.orthanc.get(f"{orthanc_found(all, study)}/answers/0/content")),
}

GET: dict[str, Callable[[Everybody, pydicom.Dataset, Path], str]] = {
    "getscu": lambda all, study, folder: all.dcmtk("getscu", "-S", *key(study), "-od", folder),
    "pynetdicom": lambda all, study, folder: all.application("getscu", "-S", *key(study), "-od", folder),
}

MOVE: dict[str, Callable[[Everybody, pydicom.Dataset], object]] = {
    "movescu": lambda all, study: all.dcmtk("movescu", "-S", "-aem", "THIRD", *key(study)),
    "pynetdicom": lambda all, study: all.application("movescu", "-S", "-aem", "THIRD", *key(study)),
}
