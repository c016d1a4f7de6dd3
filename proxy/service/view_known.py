"""What a view has found out about the instances of a study: which were released, of what modality, and which are held.

Pseudonyms only, in memory and bounded; forgotten at a stop. Until every instance of a study is known, nobody can say
how many of them a reader will see, and nobody does.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from proxy.service.view import Scope
from proxy.wire.dicom_json import Json, first_value

_MOST_STUDIES = 10_000
_MODALITIES = "00080061"
#: PS3.3 C.7.3.1.1.1; anything else that a PACS calls a modality waits until its instances were judged
_TERMS = frozenset(
    "ANN AR ASMT AU BDUS BI BMD CFM CR CT CTPROTOCOL DG DMS DOC DX ECG EEG EMG EOG EPS ES FID GM HC HD IO IOL IVOCT "
    "IVUS KER KO LEN LS M3D MG MR NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PA PLAN POS PR PT PX REG RESP RF RG "
    "RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG SM SMR SR SRF STAIN TEXTUREMAP TG US VA "
    "XA XAPROTOCOL XC".split()
)
_COUNTS = {"study": "00201208", "series": "00201209"}


@dataclass(slots=True)
class _Study:
    #: instance → its series, and its modality or None where it is held
    instances: dict[str, tuple[str, str | None]] = field(default_factory=dict)

    def of(self, series: str) -> list[tuple[str, str | None]]:
        return [each for each in self.instances.values() if series in ("", each[0])]


class Known:
    """Outcomes by study. All UIDs are pseudonymous."""

    def __init__(self) -> None:
        self._studies: OrderedDict[tuple[Scope, str], _Study] = OrderedDict()

    def note(self, scope: Scope, uids: tuple[str, str, str], modality: str | None) -> None:
        """The outcome of one instance (``uids``: study, series, instance); ``modality`` None: it is held."""
        study = self._studies.setdefault((scope, uids[0]), _Study())
        study.instances[uids[2]] = uids[1], modality
        self._studies.move_to_end((scope, uids[0]))
        while len(self._studies) > _MOST_STUDIES:
            self._studies.popitem(last=False)

    def is_held(self, scope: Scope, study: str, instance: str) -> bool:
        """Whether the instance was judged and held."""
        found = self._studies.get((scope, study))
        return found is not None and found.instances.get(instance, ("", ""))[1] is None

    def series_of(self, scope: Scope, study: str, instance: str) -> str:
        """The series of an instance that was released; "" where nothing is known of it."""
        found = self._studies.get((scope, study))
        series, modality = found.instances.get(instance, ("", None)) if found is not None else ("", None)
        return "" if modality is None else series

    def visible(self, scope: Scope, level: str, uids: tuple[str, str, str], upstream: Json) -> Json | None:
        """What can be said of a study or series in its match: counts and modalities of what is released.

        ``upstream``: the PACS's own match; until every instance was judged it is believed about modalities, without
        which no viewer opens a study. None: every instance is known to be held, so there is no match.
        """
        study = self._studies.get((scope, uids[0])) or _Study()
        series = uids[1] if level == "series" else ""
        judged = study.of(series)
        if level == "instance" or str(len(judged)) != first_value(upstream, _COUNTS[level]):
            return _believed(upstream) if level == "study" else {}
        released = [(of, modality) for of, modality in judged if modality is not None]
        if not released:
            return None
        if level == "series":
            return {_COUNTS[level]: _integer(len(released))}
        modalities = sorted({modality for _, modality in released if modality})
        return {
            _MODALITIES: {"vr": "CS", "Value": modalities},
            "00201206": _integer(len({of for of, _ in released})),
            _COUNTS[level]: _integer(len(released)),
        }


def _believed(upstream: Json) -> Json:
    """The modalities that a PACS says a study has: defined terms, and nothing else."""
    said = upstream.get(_MODALITIES, {}).get("Value", ())
    terms = sorted(_TERMS.intersection(each for each in said if isinstance(each, str)))
    return {_MODALITIES: {"vr": "CS", "Value": terms}} if terms else {}


def _integer(number: int) -> Json:
    return {"vr": "IS", "Value": [number]}
