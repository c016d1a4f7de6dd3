"""Scripts and spellings: which letters a text may have, and the keys under which two spellings of a word are one.

Case, accents, width, German umlauts written out, katakana and hiragana, and, where a small table can do it, other
scripts in Latin letters. Han characters are not romanised: no small table can. Shares nothing with the gate. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import product

#: combining marks that carry an accent or a vowel point
MARKS = "\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u064b-\u065f\u0670"
LATIN = "A-Za-zªºÀ-ÖØ-öø-\u024f\u1e00-\u1eff\ufb00-\ufb06\uff21-\uff3a\uff41-\uff5a"
GREEK = "\u00b5\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u03ff\u1f00-\u1fff"
CYRILLIC = "\u0400-\u0481\u048a-\u052f"
#: scripts whose words have a first letter that can be a capital
CASED = LATIN + GREEK + CYRILLIC
POINTED = "\u05d0-\u05ea\u05ef-\u05f2\u0620-\u063f\u0640-\u064a\u066e-\u06d3\u06d5\ufb1d-\ufdfb\ufe70-\ufefc"
HANGUL = "\uac00-\ud7a3\u1100-\u11ff\u3131-\u318e"
HAN = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
HIRAGANA = "\u3041-\u309f"
KATAKANA = "\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
HALF_WIDTH = "\uff66-\uff9f"
THAI = "\u0e01-\u0e3a\u0e40-\u0e4e"
#: scripts that are cut into words by a vocabulary
UNSPACED = HAN + HIRAGANA + KATAKANA

_KNOWN = re.compile(f"[{CASED}{POINTED}{HANGUL}{UNSPACED}{HALF_WIDTH}{THAI}{MARKS}]")
_STRIPPED = re.compile(f"[{MARKS}\u0640]")
#: letters that decomposition leaves alone, finals of Hebrew, kinds of yeh and teh
_SINGLE = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ŋ": "n", "ħ": "h", "ŧ": "t"}
    | {"ك": "ک", "ى": "ي", "ی": "ي", "ة": "ه", "ך": "כ", "ם": "מ", "ן": "נ", "ף": "פ", "ץ": "צ", "ґ": "г", "ї": "і"}
)
_HIRAGANA_OF = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}
#: units written as one sign; any other sign that hides letters is not judged
_SQUARED = re.compile(
    "[\u2070-\u209c\u2103\u2109\u2116\u2122\u2126\u212a\u212b\u2150-\u2188\u2460-\u249b\u3371-\u33df]"
)
#: cased scripts in one word; a single Greek letter at an edge is a symbol (TGFβ, µg)
_SYMBOL = "αβγδκλμπσωΔΩµ"
_MIXED = re.compile(
    f"[{LATIN}][{MARKS}]*[{CYRILLIC}]|[{CYRILLIC}][{MARKS}]*[{LATIN}{GREEK}]|[{GREEK}][{MARKS}]*[{CYRILLIC}]"
    f"|[{LATIN}](?![{_SYMBOL}](?![{CASED}]))[{GREEK}]|(?<![{CASED}])(?![{_SYMBOL}])[{GREEK}][{LATIN}]"
    f"|[{GREEK}][{GREEK}][{LATIN}]"
)
_UMLAUTS = re.compile("([aou])e")
_ENCLOSED = frozenset({"So", "No", "Nl", "Sm", "Sk", "Lm"})


def visible(text: str) -> str:
    """``text`` without signs that show nothing (category Cf: joiners, soft hyphens, directions)."""
    if text.isascii():
        return text
    return "".join(c for c in text if unicodedata.category(c) != "Cf")


def judgeable(text: str) -> bool:
    """False: control or unknown characters, scripts that no table here knows, or two scripts within one word."""
    if _MIXED.search(text):
        return False
    return all(_known(c) for c in set(text))


def _known(c: str) -> bool:
    if c in "\t\n\r\f":
        return True
    category = unicodedata.category(c)
    if category[0] == "L" and category != "Lm":
        return _KNOWN.match(c) is not None
    if category in _ENCLOSED and any(x.isalpha() for x in unicodedata.normalize("NFKC", c)):
        return _SQUARED.match(c) is not None or _KNOWN.match(c) is not None
    if category in ("Cc", "Cn", "Co", "Cs") or c == "\ufffd":
        return False
    return category[0] != "M" or _KNOWN.match(c) is not None


def key(word: str) -> str:
    """The spelling under which words are compared: no case, no accents, ä as a as ae, katakana as hiragana."""
    if word.isascii():
        return _UMLAUTS.sub(r"\1", word.lower())
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", word).casefold())
    plain = _STRIPPED.sub("", unicodedata.normalize("NFKD", plain).translate(_SINGLE))
    return _UMLAUTS.sub(r"\1", unicodedata.normalize("NFC", plain).translate(_HIRAGANA_OF))


def one_to_one(run: str) -> str:
    """Kana folded character by character, so that places in ``run`` stay places."""
    return run.translate(_HIRAGANA_OF)


#: Cyrillic in Latin letters: English, German, French, scholarly, Ukrainian use
_CYRILLIC_PLAIN = dict(zip("абвгдезиклмнопрстуфыэіє", "abvgdeziklmnoprstufieie", strict=True))
_CYRILLIC_SYSTEMS = (
    {"ж": "zh", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ю": "yu", "я": "ya"},
    {"ж": "sch", "х": "ch", "ц": "z", "ч": "tsch", "ш": "sch", "щ": "schtsch", "ю": "ju", "я": "ja", "з": "s"},
    {"ж": "j", "х": "kh", "ц": "ts", "ч": "tch", "ш": "ch", "щ": "chtch", "ю": "iou", "я": "ia"},
    {"ж": "z", "х": "h", "ц": "c", "ч": "c", "ш": "s", "щ": "sc", "ю": "ju", "я": "ja"},
    {"ж": "zh", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ю": "iu", "я": "ia", "г": "h"},
)
_GREEK_PLAIN = dict(zip("αβγδεζικλμνξοπρστφω", "avgdeziklmnxoprstfo", strict=True)) | {"θ": "th", "ψ": "ps"}
#: pairs first; then single letters on which the systems differ
_GREEK_SYSTEMS = (
    ({"ου": "ou", "αυ": "av", "ευ": "ev", "μπ": "b", "ντ": "nt", "γγ": "ng", "γκ": "gk"},
     {"η": "i", "υ": "y", "χ": "ch"}),
    ({"ου": "u", "αυ": "af", "ευ": "ef", "μπ": "mp", "ντ": "d", "γκ": "g", "αι": "e", "ει": "i", "οι": "i"},
     {"η": "e", "υ": "u", "χ": "h", "β": "b"}),
    ({"ου": "ou", "αυ": "au", "ευ": "eu", "μπ": "mp", "ντ": "nt", "γγ": "ng", "γκ": "gk"},
     {"η": "i", "υ": "i", "χ": "h"}),
)  # fmt: skip
_KANA_ROWS = (
    ("", "あいうえお"), ("k", "かきくけこ"), ("s", "さしすせそ"), ("t", "たちつてと"), ("n", "なにぬねの"),
    ("h", "はひふへほ"), ("m", "まみむめも"), ("r", "らりるれろ"), ("g", "がぎぐげご"), ("z", "ざじずぜぞ"),
    ("d", "だぢづでど"), ("b", "ばびぶべぼ"), ("p", "ぱぴぷぺぽ"),
)  # fmt: skip
_KANA = {kana: c + v for c, row in _KANA_ROWS for kana, v in zip(row, "aiueo", strict=True)} | {
    "や": "ya", "ゆ": "yu", "よ": "yo", "わ": "wa", "を": "o", "ん": "n", "ゔ": "vu",
    "ぁ": "a", "ぃ": "i", "ぅ": "u", "ぇ": "e", "ぉ": "o", "ー": "",
    "ゃ": "ya", "ゅ": "yu", "ょ": "yo",
}  # fmt: skip
_HEPBURN = (
    ("sya", "sha"), ("syu", "shu"), ("syo", "sho"), ("tya", "cha"), ("tyu", "chu"), ("tyo", "cho"), ("si", "shi"),
    ("zya", "ja"), ("zyu", "ju"), ("zyo", "jo"), ("zi", "ji"), ("ti", "chi"), ("tu", "tsu"), ("hu", "fu"),
)  # fmt: skip
_LONG_VOWELS = (("ou", "o"), ("oo", "o"), ("uu", "u"))
_INITIALS = (
    "g", "kk", "n", "d", "tt", "r", "m", "b", "pp", "s", "ss", "", "j", "jj", "ch", "k", "t", "p", "h",
)  # fmt: skip
_VOWELS = (
    "a", "ae", "ya", "yae", "eo", "e", "yeo", "ye", "o", "wa", "wae", "oe", "yo", "u", "wo", "we", "wi", "yu", "eu",
    "ui", "i",
)  # fmt: skip
_FINALS = (
    "", "k", "k", "k", "n", "n", "n", "t", "l", "k", "m", "l", "l", "l", "p", "l", "m", "p", "p", "t", "t", "ng", "t",
    "t", "k", "t", "p", "t",
)  # fmt: skip
_HARD = str.maketrans({"g": "k", "d": "t", "b": "p"})
#: one sound, many spellings: applied to both sides before they are compared
_SOUNDS = (
    ("ph", "f"),
    ("ck", "k"),
    ("w", "v"),
    ("y", "i"),
    ("j", "i"),
    ("ks", "x"),
    ("ou", "u"),
    ("ie", "e"),
    ("tz", "ts"),
)
_DOUBLED = re.compile(r"(.)\1+")
_SCRIPTS = (("cyrillic", CYRILLIC), ("greek", GREEK), ("kana", HIRAGANA), ("hangul", "\uac00-\ud7a3"))
_SCRIPT = {name: re.compile(f"[{letters}ー]+") for name, letters in _SCRIPTS}


def sound(latin_key: str) -> str:
    """How a Latin key sounds, roughly: what is compared with other scripts."""
    for written, heard in _SOUNDS:
        latin_key = latin_key.replace(written, heard)
    return _DOUBLED.sub(r"\1", latin_key)


def sounds(word_key: str) -> frozenset[str]:
    """The sounds of a key in any script; empty for scripts without a table."""
    if word_key.isascii():
        return frozenset({sound(word_key)})
    for name, pattern in _SCRIPT.items():
        if pattern.fullmatch(word_key):
            return frozenset(sound(_UMLAUTS.sub(r"\1", latin)) for latin in _ROMANISE[name](word_key))
    return frozenset()


def _of_cyrillic(word: str) -> list[str]:
    return ["".join((_CYRILLIC_PLAIN | system).get(c, "") for c in word) for system in _CYRILLIC_SYSTEMS]


def _of_greek(word: str) -> list[str]:
    found = []
    for pairs, letters in _GREEK_SYSTEMS:
        text = word
        for pair, latin in pairs.items():
            text = text.replace(pair, latin)
        found.append("".join((_GREEK_PLAIN | letters).get(c, c if c.isascii() else "") for c in text))
    return found


def _of_kana(word: str) -> list[str]:
    text = ""
    for c in word:
        syllable = _KANA.get(c, "")
        if c in "ゃゅょ" and text.endswith("i"):
            text = text[:-1]
        elif text.endswith("*"):
            text = text[:-1] + syllable[:1]
        text += "*" if c == "っ" else syllable
    plain = text.rstrip("*").replace("*", "")
    hepburn = plain
    for written, english in _HEPBURN:
        hepburn = hepburn.replace(written, english)
    found = []
    for latin, vowels in product((plain, hepburn), (True, False)):
        short = latin
        for written, heard in _LONG_VOWELS if vowels else ():
            short = short.replace(written, heard)
        found += [short, short.replace("nb", "mb").replace("np", "mp"), latin.replace("ou", "oh")]
    return found


def _of_hangul(word: str) -> list[str]:
    soft = ""
    for c in word:
        code = ord(c) - 0xAC00
        soft += _INITIALS[code // 588] + _VOWELS[code % 588 // 28] + _FINALS[code % 28]
    hard = soft.translate(_HARD)
    return [soft, hard, *(text.replace("eo", "u").replace("eu", "u") for text in (soft, hard))]


_ROMANISE = {"cyrillic": _of_cyrillic, "greek": _of_greek, "kana": _of_kana, "hangul": _of_hangul}
