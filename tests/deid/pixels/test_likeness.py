"""What a reader makes of a name or a number is still known as one."""

from __future__ import annotations

import pytest

from proxy.deid.pixels.likeness import names

PEOPLE = ("Müller^Anna", "MRN-884213", "Klinikum Nord", "19520417", "045Y")


@pytest.mark.parametrize(
    "text", ["ANNA MULLER", "muller,a", "MUELLER", "Mu11er", "Nord", "xx884213yy", "KLINIKUMNORD", "ID:884213"]
)
def test_names(text: str) -> None:
    assert names(text, PEOPLE)


@pytest.mark.parametrize("text", ["MULLEB", "MULER", "MULLLER", "884Z1З", "884218", "Millers", "Anma"])
def test_one_letter_misread_is_still_a_match(text: str) -> None:
    assert names(text, PEOPLE)


@pytest.mark.parametrize("text", ["17.04.1952", "4/17/1952", "17-4-52 13:05", "520417", "45Y", "1952-04-17"])
def test_dates_and_ages_are_known_in_every_order(text: str) -> None:
    assert names(text, PEOPLE)


@pytest.mark.parametrize("text", ["", "MI 1.1", "cm", "Gen", "5 cm", "MUL", "88", "Mullion^Bob"])
def test_other_words_are_no_match(text: str) -> None:
    assert not names(text, PEOPLE)


def test_short_identities_match_as_words_only() -> None:
    assert names("LI 5 cm", ("Li^Wei",))
    assert not names("LIVER", ("Li^Q",))
    assert not names("R", ("R^",))
