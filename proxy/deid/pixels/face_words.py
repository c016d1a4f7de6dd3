"""Words that say that a scan shows a head, or another part of the body: data for `faces`, in the languages of devices.

Defined terms of PS3.16 Annex L, and words of study, series and protocol descriptions without accents, in small letters.
A word too many holds an instance, a word too few lets a face through.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from itertools import pairwise

#: Body Part Examined (PS3.16 Annex L): regions with a face or a part of one in their field of view
BODY_PARTS = frozenset(
    "HEAD SKULL BRAIN FACE ORBIT EYE SINUS JAW MANDIBLE MAXILLA NOSE EAR IAC IAM TMJ ZYGOMA SELLA PITUITARY SKULLBASE"
    " HEADNECK NECK WHOLEBODY CRANIUM FACIALBONES FACIAL NASALBONES OPTICCANAL MASTOID TEMPORALBONE CAROTID".split()
)
#: coded regions, SNOMED CT and SRT (PS3.16 CID 4, 4028, 4031): head, neck, face, what lies in them, the whole body
CODES = frozenset(
    "69536005 T-D1100 45048000 T-D1600 774007 T-D1000 89546000 T-11100 12738006 T-A0100 89545001 T-D1200 2095001"
    " T-22000 363654007 T-D14AE 38266002 T-D0010 91609006 T-11180 70925003 T-11170 13881006 T-11166 81745001 T-AA000"
    " 91397008 T-11196 361078006 T-AB959 1101003 T-D1400 45206002 T-21000 661005 T-D1213 56329008 T-B1000 53620006"
    " T-15290 117590005 T-AB001 69105007 T-45010 59066005 T-11133 371398005 T-D0801 312779009 T-D006D 416152001"
    " R-FAB53 416319003 R-FAB54".split()
)


def _by_initial(words: str) -> Mapping[str, tuple[str, ...]]:
    """First letter → words with it."""
    return {first: tuple(word for word in words.split() if word[0] == first) for first in {*words} - {" "}}


#: words that begin so
_HEAD = _by_initial(
    "head skull brain cereb crani cranium intracran extracran neuro facial maxill mandib orbit sinus paranas nasal"
    " nasen petrous mastoid pituit sella hypophys dental jaw stroke willis carotid neck mprage mp2rage flair fspgr"
    " bravo kopf schadel schaedel gehirn hirn gesicht kiefer hals augenh crane cerveau enceph encef tete visage cabeza"
    " cabeca craneo testa volto cervell collo cuello pescoco hoofd hersen schedel gezicht huvud hjarn skall hjerne"
    " hode hoved aivo kallo beyin kafa hlava mozek lebk glow mozg czaszk koponya wholebody ganzkorper petct vertex"
    " голов мозг череп лиц κεφαλ εγκεφαλ κρανι προσωπ"
)
#: words that are just so ("face" begins "facet", which is a joint)
_HEAD_EXACT = frozenset("face faces iac iam tmj nnh cbct swi bold fmri dti tof wb fej agy cara ear eye nose".split())
#: characters of scripts without spaces
_HEAD_SIGNS = tuple("頭 脳 顔 頸 头 颅 脑 颌 颈 眼眶 두부 머리 뇌 안면".split())
_WORD = re.compile(r"[^\W_]+")
#: two words that say so together
_HEAD_PAIRS = frozenset({("whole", "body"), ("pet", "ct"), ("corps", "entier"), ("total", "body")})
#: other parts of the body, where no word says head
_OTHER = _by_initial(
    "chest thor lung pulmon heart cardi coron abdom pelvi liver hepat pancrea kidney renal spleen colon bowel spine"
    " lumb knee shoulder hip ankle wrist elbow hand foot leg arm thigh femur tibia extrem prostat uter breast mamm"
    " aort brust bauch becken leber niere herz lunge knie schulter hufte fuss wirbel poumon foie rein coeur genou"
    " epaule hanche torace addome bacino ginocchio spalla torax rodilla hombro cadera lws bws"
)


def says_head(texts: Iterable[str]) -> bool:
    """Whether one of the descriptions names a head, or a whole body."""
    for text in texts:
        words = _words(text)
        if not _HEAD_PAIRS.isdisjoint(pairwise(words)):
            return True
        for word in words:
            if word in _HEAD_EXACT or word.startswith(_HEAD.get(word[0], ())):
                return True
        if not text.isascii() and any(sign in text for sign in _HEAD_SIGNS):
            return True
    return False


def says_other(texts: Iterable[str]) -> bool:
    """Whether one of the descriptions names another part of the body."""
    for text in texts:
        for word in _words(text):
            if word.startswith(_OTHER.get(word[0], ())):
                return True
    return False


def _words(text: str) -> list[str]:
    plain = text.lower()
    if not text.isascii():
        plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return _WORD.findall(plain)
