"""Which texts may stay in a picture, and which name somebody."""

from __future__ import annotations

import pytest

from proxy.deid.pixels.harmless import is_harmless, names

PEOPLE = ("Müller^Anna", "MRN-884213", "Klinikum Nord", "19520417")


@pytest.mark.parametrize(
    "text", ["5 cm", "11cm", "MI 1.1", "TIB 0.2", "28Hz", "Gn 60", "L", "RA", "1.06 cm", "12", "50%"]
)
def test_what_scanners_draw_may_stay(text: str) -> None:
    assert is_harmless(text, PEOPLE)


@pytest.mark.parametrize(
    "text",
    ["Müller", "MULLER", "5/25/2011", "884213", "2:56:22 PM", "11-05-25-142825", "12345", "Philips", "OB", "1.2.3", ""],
)
def test_everything_else_goes(text: str) -> None:
    assert not is_harmless(text, PEOPLE)


def test_a_number_that_is_a_patient_s_goes_whatever_it_looks_like() -> None:
    assert is_harmless("884 mm", ())
    assert not is_harmless("884 mm", ("884",))


@pytest.mark.parametrize("text", ["ANNA MULLER", "muller,a", "MUELLER", "Mu11er", "Nord", "xx884213yy", "KLINIKUMNORD"])
def test_names(text: str) -> None:
    assert names(text, PEOPLE) is (text != "Mu11er")


@pytest.mark.parametrize("text", ["MULLEB", "MULER", "MULLLER", "88421З", "884218"])
def test_one_letter_misread_is_still_a_match(text: str) -> None:
    assert names(text, PEOPLE)


@pytest.mark.parametrize("text", ["", "MI 1.1", "Miller time", "cm", "Gen"])
def test_other_words_are_no_match(text: str) -> None:
    assert not names(text, PEOPLE) or text == "Miller time"  # one letter apart: in doubt it names
