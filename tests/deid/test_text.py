"""Cleaned text holds nothing of who it is about, and nearly everything of what it is about.

Golden cases: text_corpus/cases, one file each: facts of the instance, a line ---, the text, ---, what must come out.
Clinical language: text_corpus/descriptions, one file for each language.
"""

from __future__ import annotations

import re
import time
import unicodedata
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from proxy.deid.identifiers import Identifiers, _add, _add_birth_date, _add_names
from proxy.deid.identifiers import Kind as GateKind
from proxy.deid.reading import Leaf
from proxy.deid.search import Search
from proxy.deid.text import Cleaned, Identity, TextCleaner
from proxy.deid.text_terms import Vocabulary, parse_vocabulary
from proxy.errors import ConfigError
from proxy.store.rulebook import rules_root

CORPUS = Path(__file__).parent / "text_corpus"
CASES = sorted((CORPUS / "cases").glob("*.txt"))
DESCRIPTIONS = sorted((CORPUS / "descriptions").glob("*.txt"))
LINES = [line for path in DESCRIPTIONS for line in path.read_text("utf-8").splitlines()]
DOCUMENTS = [yaml.safe_load(path.read_text("utf-8")) for path in sorted((rules_root() / "text").glob("*.yaml"))]
VOCABULARY = parse_vocabulary(DOCUMENTS)
#: letters by script, from which names are made up: eight scripts
ALPHABETS = {
    "latin": "abcdefghijklmnoprstuvwzäöüßéèçñøåłş",
    "cyrillic": "абвгдежзиклмнопрстуфхцчшэюя",
    "greek": "αβγδεζηθικλμνξοπρστυφχψω",
    "kana": "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわん",
    "han": "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗山田佐藤鈴木高橋渡辺伊中村小林加吉太郎花子健翔伟芳娜敏静丽强磊军",
    "hangul": "김이박최정강조윤장임한오서신권황안송류홍길동철수영희지민준현우진호성미경",
    "arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
    "hebrew": "אבגדהוזחטיכלמנסעפצקרשת",
}


EXAMPLES = 150


def cleaner(names: tuple[str, ...] = (), offset: int | None = None, **more: tuple[str, ...]) -> TextCleaner:
    return TextCleaner(VOCABULARY, Identity(names=names, **more), offset=offset)


def plain(text: str) -> str:
    """Without case and accents; written for the tests, so that it is not the cleaner's own."""
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return unicodedata.normalize("NFC", "".join(c for c in decomposed if not "\u0300" <= c <= "\u036f"))


def words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", plain(text))


def case_of(path: Path) -> tuple[dict[str, list[str]], str, str]:
    head, text, want = path.read_text("utf-8").split("---\n")
    facts: dict[str, list[str]] = {}
    for line in head.splitlines():
        fact, _, value = line.partition(": ")
        facts.setdefault(fact, []).append(value)
    return facts, _unescaped(text.removesuffix("\n")), _unescaped(want.removesuffix("\n"))


def _unescaped(text: str) -> str:
    return re.sub(r"\\(n|x[0-9a-f]{2}|u[0-9a-f]{4})", lambda m: m[0].encode().decode("unicode_escape"), text)


def cleaned(facts: dict[str, list[str]], text: str) -> Cleaned:
    identity = Identity(
        **{fact: tuple(facts.get(fact.removesuffix("s"), ())) for fact in ("names", "numbers", "places", "dates")}
    )
    offset = facts.get("offset", ["none"])[0]
    made = TextCleaner(
        VOCABULARY,
        identity,
        offset=int(offset) if offset not in ("none", "keep") else None,
        dictionary=facts.get("dictionary", ()),
        keep_dates=offset == "keep",
    )
    return made.clean(text, int(facts.get("limit", ["10240"])[0]))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    facts, text, want = case_of(path)
    result = cleaned(facts, text)
    if want == "unjudged":
        assert result == Cleaned("", 0, 0, judged=False)
    else:
        assert (result.text, result.judged) == (want, True)
        assert (result.removed == 0) == (want == text) or "-10" in facts.get("offset", ())


def test_there_are_enough_cases_and_lines() -> None:
    assert len(CASES) >= 60
    assert len(LINES) >= 150
    assert len(DESCRIPTIONS) == 8


@pytest.mark.parametrize("path", DESCRIPTIONS, ids=lambda path: path.stem)
def test_clinical_language_stays(path: Path) -> None:
    made = cleaner()
    for line in path.read_text("utf-8").splitlines():
        result = made.clean(line, 10240)
        assert result.text == line
        assert result.removed == 0
        assert result.kept_words > 0


def test_removed_and_kept_are_counted() -> None:
    result = cleaner(("Smith^John",)).clean("Smith John CHEST PA 12.03.2020", 64)
    assert (result.text, result.removed, result.kept_words) == ("CHEST PA", 3, 2)


def test_values_have_no_repr() -> None:
    identity = Identity(("Smith^John",), ("1234",), ("Freiburg",), ("19800101",))
    result = cleaner(("Smith^John",)).clean("knee", 64)
    assert "Smith" not in repr(identity)
    assert "1234" not in repr(identity)
    assert "knee" not in repr(result)


@pytest.mark.parametrize(
    "broken",
    [
        {"version": 1, "language": "x", "word": "abc"},
        {"version": 2, "language": "x"},
        {"version": 1},
        {"version": 1, "language": "x", "terms": ["a"]},
        {"version": 1, "language": "x", "months": ["jan"]},
    ],
)
def test_a_broken_vocabulary_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        parse_vocabulary([broken])


def test_the_digest_covers_the_words() -> None:
    document = {"version": 1, "language": "x", "terms": "knee"}
    assert parse_vocabulary([document]).digest != parse_vocabulary([document | {"terms": "hip"}]).digest
    assert isinstance(parse_vocabulary([document]), Vocabulary)


# --- planted identity never survives -------------------------------------------------------------------------------


def _name(script: str, least: int = 3) -> st.SearchStrategy[str]:
    longest = 3 if script in ("han", "hangul") else 9
    return st.text(ALPHABETS[script], min_size=min(least, longest) if script != "han" else 2, max_size=longest)


@st.composite
def planted(draw: st.DrawFn, script: str) -> tuple[str, str, list[str]]:
    """A PN value, a text in which the person stands somehow, and the words that may not be in the output."""
    family, given_name = draw(_name(script)), draw(_name(script))
    form = draw(st.sampled_from([str.upper, str.title, str.lower, str.strip]))
    spoken = draw(
        st.sampled_from(
            [
                f"{family} {given_name}", f"{given_name} {family}", f"{family}, {given_name}",
                f"{family}^{given_name}", f"{family}_{given_name}", f"{family}{given_name}",
                f"{given_name}-{family}", f"{family}", f"{given_name}", f"Dr. {family}", f"{family}'s",
                f"({given_name} {family})",
                f"{family}\n{given_name}",
            ]
        )
    )  # fmt: skip
    line = draw(st.sampled_from(LINES))
    parts = line.split(" ")
    at = draw(st.integers(0, len(parts)))
    text = " ".join([*parts[:at], form(spoken), *parts[at:]])
    return f"{family}^{given_name}", text, [family, given_name]


@pytest.mark.parametrize("script", ALPHABETS)
def test_a_planted_name_never_survives(script: str) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(planted(script))
    def check(sample: tuple[str, str, list[str]]) -> None:
        name, text, secrets = sample
        assume(not {"anonymous", "anonymised", "anonymized", "anon", "unknown", "none", "removed"} & set(secrets))
        made = cleaner((name,))
        result = made.clean(text, 10240)
        if script in ("han", "kana", "hangul"):
            assert not any(plain(secret) in plain(result.text) for secret in secrets)
        else:
            assert not {plain(secret) for secret in secrets} & set(words(result.text))
        assert made.clean(result.text, 10240).text == result.text
        assert not gate_finds((name,), result.text)

    check()


def gate_finds(names: tuple[str, ...], text: str, numbers: tuple[str, ...] = (), birth: str = "") -> bool:
    """What the gate, which shares nothing with the cleaner, says of an output in UTF-8."""
    source = Identifiers()
    for name in names:
        raw = memoryview(name.encode())
        _add_names(source, Leaf(0x00100010, "PN", "PN", (), raw, 0, "utf_8"))
    for number in numbers:
        _add(source, number, number.encode(), GateKind.NUMBER)
    if birth:
        _add_birth_date(source, birth)
    leaf = Leaf(0x0008103E, "LO", "LO", (), memoryview(text.encode()), 0, "utf_8")
    return Search(source, lambda _: False).finds(leaf)


@settings(max_examples=150, deadline=None)
@given(
    st.from_regex(r"[A-Z]{0,3}[0-9]{4,10}", fullmatch=True),
    st.sampled_from(["{}", "ID {}", "MRN: {}", "#{}", "({})", "{}.", "x{}"]),
    st.sampled_from(["", " ", "-", "/", ".", "_"]),
    st.sampled_from(LINES),
)
def test_a_planted_number_never_survives(number: str, form: str, separator: str, line: str) -> None:
    written = number[:-3] + separator + number[-3:]
    made = cleaner(numbers=(number,))
    result = made.clean(f"{line} {form.format(written)} {line}", 10240)
    compact = re.sub(r"[\W_]", "", result.text)
    assert number not in compact or number in re.sub(r"[\W_]", "", f"{line}{line}")
    assert not gate_finds((), result.text, (number,))


@settings(max_examples=100, deadline=None)
@given(
    st.dates(date(1900, 1, 1), date(2030, 1, 1)),
    st.sampled_from(
        (
            "%Y-%m-%d %d.%m.%Y %m/%d/%Y %d/%m/%Y %Y%m%d %d-%m-%y %d%m%Y %d_%B_%Y %B_%d,_%Y %d-%b-%Y %Y/%m/%d"
            " %Y年%m月%d日"
        ).split()
    ),
    st.sampled_from([None, -30, "keep"]),
    st.sampled_from(LINES),
)
def test_a_planted_birth_date_never_survives(day: date, form: str, offset: int | str | None, line: str) -> None:
    made = TextCleaner(
        VOCABULARY,
        Identity(dates=(f"{day:%Y%m%d}",)),
        offset=offset if isinstance(offset, int) else None,
        keep_dates=offset == "keep",
    )
    written = day.strftime(form).replace("_", " ")
    result = made.clean(f"{line} {written} {line}", 10240)
    assert result.judged
    assert written not in result.text
    assert not gate_finds((), result.text, birth=f"{day:%Y%m%d}")


PLACE_WORDS = ("University Hospital St. Mary Klinikum Zyxburg Heart Center North 12 79106 Hauptstr. 5 Radiology Lab "
               "Brown Institute Ward 7 病院 Больница Νοσοκομείο").split()  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PLACE_WORDS), min_size=1, max_size=6), st.sampled_from(LINES), st.booleans())
def test_a_planted_institution_never_survives(parts: list[str], line: str, upper: bool) -> None:
    place = " ".join(parts)
    text = f"{line}, {place.upper() if upper else place}; {line}"
    result = cleaner(places=(place,)).clean(text, 10240)
    assert not gate_finds((), result.text, (place,))
    assert "zyxburg" not in result.text.lower()


# --- and the words around it stay ----------------------------------------------------------------------------------


def test_at_least_95_percent_of_clinical_words_stay_beside_planted_names() -> None:
    people = [
        "Mustermann^Erika",
        "Иванова^Мария",
        "Παπαδοπούλου^Ελένη",
        "Tanaka^Hiroshi=田中^宏=たなか^ひろし",
        "王^小明",
    ]
    kept = total = 0
    for number, line in enumerate(LINES):
        name = people[number % len(people)]
        spoken = [part for part in re.split(r"[\^=]", name) if part]
        parts = line.split(" ")
        at = number % (len(parts) + 1)
        text = " ".join([*parts[:at], *spoken, *parts[at:]])
        left = Counter(_pieces(cleaner((name,)).clean(text, 10240).text))
        wanted = _pieces(line)
        total += len(wanted)
        kept += sum((left & Counter(wanted)).values())
    assert kept / total >= 0.95, f"{kept} of {total}"


def _pieces(text: str) -> list[str]:
    """Words; characters where a script has no spaces."""
    return re.findall(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\d_\u3040-\u30ff\u3400-\u9fff]+", text)


# --- form ----------------------------------------------------------------------------------------------------------


ANY = st.text(
    st.one_of(
        st.sampled_from(" .,;:-_/^()[]'\"\n0123456789"),
        st.sampled_from("".join(ALPHABETS.values())),
        st.characters(),
    ),
    max_size=60,
)
MIXED = st.lists(
    st.one_of(ANY, st.sampled_from(LINES), st.sampled_from(["Smith", "Dr.", "12.03.2020", "MRN 12345", "2019", "J."])),
    max_size=5,
).map(" ".join)


@settings(max_examples=400, deadline=None)
@given(MIXED, st.sampled_from([None, "keep"]), st.integers(0, 200))
def test_twice_is_once(text: str, dates: str | None, limit: int) -> None:
    made = TextCleaner(VOCABULARY, Identity(("Smith^John",), ("4711",)), offset=None, keep_dates=dates == "keep")
    result = made.clean(text, limit)
    assert len(result.text) <= limit
    if result.judged:
        assert made.clean(result.text, limit) == Cleaned(result.text, 0, result.kept_words, judged=True)
    else:
        assert result.text == ""


@settings(max_examples=100, deadline=None)
@given(MIXED)
def test_shifted_dates_are_read_as_the_same_dates(text: str) -> None:
    made = TextCleaner(VOCABULARY, Identity(), offset=-17)
    kept = TextCleaner(VOCABULARY, Identity(), offset=None, keep_dates=True)
    result = made.clean(text, 10240)
    if result.judged:
        assert kept.clean(result.text, 10240).text == result.text


MEGABYTE = 1_000_000
ADVERSARIES = [
    "a", "A", "1", "1.", "-", " ", "a@", "1-", "0 ", "01 ", "(", "Dr. ", "Smith ", "von ", "Crohn ", "漢", "頭部", "ア",
    "漢の", "頭部ア", "한", "a1", "1,", "1 mar ", "http://", "ab:", "S50.", "e\u0301", "محمد ", "Smith's ", "x-1/2.",
    "AaBb", "J. ", "Smith, J ", "Brown B ", "in von ", "12.03.", "geb. ", "\n",
]  # fmt: skip


@pytest.mark.parametrize("unit", ADVERSARIES)
def test_cost_is_linear(unit: str) -> None:
    """Eight times the text costs about eight times as much, sixty-four if it were quadratic; one of two tries."""
    made = cleaner(("Smith^John=山田^太郎",), numbers=("4711-0815",))
    small, large = unit * (MEGABYTE // 80 // len(unit)), unit * (MEGABYTE // 10 // len(unit))
    made.clean(small, MEGABYTE)

    def cost(text: str) -> float:
        start = time.process_time()
        made.clean(text, MEGABYTE)
        return time.process_time() - start

    assert any(cost(large) < 32 * max(cost(small), 0.01) for _ in range(2))


def test_a_megabyte_of_report_is_cleaned() -> None:
    text = "\n".join(LINES * 200)[:MEGABYTE]
    start = time.process_time()
    result = cleaner(("Smith^John",)).clean(text, 2 * MEGABYTE)
    assert result.judged
    assert time.process_time() - start < 60
