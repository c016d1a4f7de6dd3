"""Which texts may stay in a picture."""

from __future__ import annotations

import pytest

from proxy.deid.pixels.harmless import is_harmless

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


@pytest.mark.parametrize(
    "text",
    ["12.03", "1956", "13:05", "LI", "Max", "12 3 1956", "45Y", "Anna 5 cm", "1203 1956 mm", "MAY 12", "12/03", "4711"],
)
def test_what_could_be_a_name_a_date_or_a_number_goes(text: str) -> None:
    assert not is_harmless(text, ())


@pytest.mark.parametrize(
    "text", ["TIS<0.4 MI=0.8 AO=100%", "3.2 x 4.5 cm", "120 kV 200 mAs", "HR 72 bpm", "W 400 L 40", "0.5", "LAO 30 °"]
)
def test_more_than_one_measurement_may_stay(text: str) -> None:
    assert is_harmless(text, ())
