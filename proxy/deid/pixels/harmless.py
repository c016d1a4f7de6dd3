"""Which texts of a picture may stay: measurements, settings, sides. What names somebody is `likeness`'s part. Pure.

A text stays only where all of it fits a strict grammar; what could be part of a date, a time, a name or a number of
somebody does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from proxy.deid.pixels.likeness import names

#: units of what is measured on or beside a picture
_UNITS = """
    mm cm dm m m/s cm/s mm/s m/s2 mm2 cm2 cm3 mm² cm² cm³ ml l cc s sec ms min hz khz mhz fps bpm /min db % ° deg
    kv kvp ma mas pa kpa mmhg mgy gy mgycm hu bq mbq kbq/ml t w mw v px pix dpi
""".split()
#: what stands before a value: settings and measures of ultrasound, CT, MR and X-ray
_NAMES = """
    mi tis tib tic ti gain gn dr fr frq freq prf wf wall filter sv depth dep d dist dist1 dist2 area vol len zoom mag
    map persist per ao power pwr ff foc focus angle steer rej edge f p c 2d cf pw
    w l ww wl wc win level tr te fa fov nex etl bw thk sl slice thickness sp kv kvp ma mas pitch
    max min mean avg sd std ef hr vel v pg vti psv edv ri pi ratio
""".split()
#: sides, positions, projections and modes; no word that is somebody's name as well
_MARKS = """
    l r a p h f s i lt rt ap pa lat ll rl lao rao left right ant anterior posterior lateral medial
    supine prone erect upright decubitus axial sagittal coronal transverse lv rv la ra ao
    2d 3d m-mode b-mode cine freeze pw cw cfm tdi
""".split()


def _one_of(words: list[str]) -> str:
    return "(?:" + "|".join(re.escape(word) for word in sorted(set(words), key=len, reverse=True)) + ")"


#: with a unit or a name up to four digits
_NUMBER = r"[-+±]?[0-9]{1,4}(?:[.,][0-9]{1,3})?"
_VALUE = f"{_NUMBER}(?: ?[x×] ?{_NUMBER}){{0,2}} ?{_one_of(_UNITS)}"
_NAMED = f"{_one_of(_NAMES)} ?[:=<>]? ?{_NUMBER}(?: ?{_one_of(_UNITS)})?"
_ITEM = f"(?:{_NAMED}|{_VALUE}|{_one_of(_MARKS)})"
#: a number alone is too short for a year, a date or a number of somebody, as those beside a depth scale
_ALONE = r"[-+]?(?:[0-9]{1,3}|[0-9][.,][0-9])"
_TEXT = re.compile(f"{_ALONE}|{_ITEM}(?:(?: | ?[,;/|] ?){_ITEM}){{0,7}}", re.IGNORECASE)
_LONGEST = 48


def is_harmless(text: str, identities: Iterable[str]) -> bool:
    """Whether ``text`` may stay in a picture of somebody whom ``identities`` name."""
    plain = " ".join(text.split())
    fits = 0 < len(plain) <= _LONGEST and _TEXT.fullmatch(plain) is not None
    return fits and not names(plain, identities)
