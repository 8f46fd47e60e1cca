"""A map beside those that know less: each of the three is beaten by what only the map knows."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from cxr.evaluate.undefined import Undefined
from cxr.localise.figures import ALL, FEWEST, Difference, label_figures
from cxr.localise.judge import judge, kept
from cxr.localise.truth import Pair
from cxr.localise.verdict import verdict
from tests.localise.sides import LABELS, SIZE, Looking, side_of

HALF = SIZE // 2
EVEN = np.full((2, 2), 0.25, np.float32)


class Given:
    def __init__(self, *pairs):
        self._pairs = pairs

    def pairs(self):
        yield from self._pairs


def quarter(number):
    """The finding in one quarter of the image, numbered row by row."""
    truth = np.zeros((SIZE, SIZE), bool)
    row, column = divmod(number, 2)
    truth[row * HALF : (row + 1) * HALF, column * HALF : (column + 1) * HALF] = True
    return truth


def sharp(number, more=0.0):
    found = np.full((2, 2), 0.1, np.float32)
    found[divmod(number, 2)] = 0.7 + more
    return found


def unlike(places):
    """A sharp map for each place, no two alike: resamples of what is all the same have no interval."""
    return [sharp(place, index / 100) for index, place in enumerate(places)]


def nothing(done, total, text=""):
    assert done <= total


def judged_of(folder, places, maps, codes=(1, 0, 0), patients=()):
    """Image i has the finding 0 in quarter places[i], and the maps [labels, 2, 2] of maps[i]."""
    images = np.full((len(places), SIZE, SIZE), 40, np.uint8)
    images[:, 0, 0] = np.arange(len(places))
    side = side_of(folder, [codes] * len(places), patients, images=images)
    truth = Given(*(Pair(row, 0, quarter(place)) for row, place in enumerate(places)))
    return judge(side, truth, Looking(np.asarray(maps, np.float32)), nothing)


def words(judged):
    return verdict(label_figures(judged.table, LABELS.names)[0])


PLACES = [index % 4 for index in range(24)]


def test_a_map_that_follows_the_finding_gains_over_all_three(tmp_path):
    judged = judged_of(tmp_path, PLACES, [[sharp(place), EVEN, EVEN] for place in PLACES])
    row = judged.table.iloc[0]
    assert (row["pointing"], row["pointing_even"], row["pointing_other"]) == (1, 0.25, 0.25)
    assert row["energy"] == pytest.approx(0.7)
    assert row["energy_even"] == row["energy_other"] == row["share"] == 0.25
    assert row["energy_elsewhere"] == pytest.approx((5 * 0.7 + 18 * 0.1) / 23)
    assert row["pointing_elsewhere"] == 0  # the other patients have one fewer here than anywhere else
    varied = judged_of(tmp_path / "varied", PLACES, [[found, EVEN, EVEN] for found in unlike(PLACES)])
    assert words(varied) == "shows the finding"


def test_a_map_that_is_the_same_in_every_image_shows_the_usual_place_at_most(tmp_path):
    places = [0] * 24
    assert (
        words(judged_of(tmp_path / "a", places, [[each, EVEN, EVEN] for each in unlike([0] * 24)])) == "shows its usual place"
    )
    assert words(judged_of(tmp_path / "b", places, [[each, EVEN, EVEN] for each in unlike([3] * 24)])) == "shows nothing"
    assert words(judged_of(tmp_path / "c", PLACES, [[EVEN, EVEN, EVEN]] * 24)) == "shows nothing"


def test_maps_that_all_follow_the_finding_show_something_abnormal(tmp_path):
    judged = judged_of(tmp_path, PLACES, [[each] * 3 for each in unlike(PLACES)])
    assert words(judged) == "shows something abnormal"


def test_a_gain_that_is_certain_but_tiny_is_no_gain(tmp_path):
    maps = []
    for index, place in enumerate(PLACES):
        found = EVEN.copy()
        found[divmod(place, 2)] += 0.01 + index / 2000
        maps.append([found, EVEN, EVEN])
    judged = judged_of(tmp_path, PLACES, maps)
    over = label_figures(judged.table, LABELS.names)[0].figures["energy"].over["even"]
    assert isinstance(over, Difference)
    assert over.span.low > 0
    assert words(judged) == "shows nothing"


def test_only_findings_that_are_known_to_be_absent_are_other_labels(tmp_path):
    maps = [[sharp(place), sharp(place), EVEN] for place in PLACES]
    present = judged_of(tmp_path / "a", PLACES, maps, codes=(1, 1, 0)).table
    unknown = judged_of(tmp_path / "b", PLACES, maps, codes=(1, 3, 2)).table
    assert present["energy_other"].eq(0.25).all()
    assert unknown["energy_other"].isna().all()


def test_other_findings_that_few_patients_are_known_not_to_have_are_no_comparison(tmp_path):
    table = judged_of(tmp_path, PLACES, [[found, EVEN, EVEN] for found in unlike(PLACES)]).table
    for known, words_then in ((FEWEST, "shows the finding"), (FEWEST - 1, "shows more than its usual place")):
        few = table.copy()
        few.loc[known:, ["energy_other", "pointing_other"]] = np.nan
        found = label_figures(few, LABELS.names)[0]
        assert isinstance(found.figures["energy"].over["other"], Undefined) == (known < FEWEST)
        assert verdict(found).startswith(words_then)
    table[["energy_elsewhere", "pointing_elsewhere"]] = np.nan
    assert verdict(label_figures(table, LABELS.names)[0]) == "is not blind (other patients: not compared)"


def test_images_of_the_same_patient_are_not_the_other_patients(tmp_path):
    places = [0, 0, 0, 3]
    table = judged_of(tmp_path, places, [[sharp(place), EVEN, EVEN] for place in places], patients=["a", "a", "a", "b"]).table
    assert table["pointing_elsewhere"].tolist() == [0, 0, 0, 0]
    alone = judged_of(tmp_path / "one", [0, 0], [[sharp(0), EVEN, EVEN]] * 2, patients=["a", "a"]).table
    assert alone["pointing_elsewhere"].isna().all()


def test_few_patients_have_no_figures_but_a_count(tmp_path):
    patients = [f"p{index % (FEWEST - 1)}" for index in range(24)]
    judged = judged_of(tmp_path, PLACES, [[sharp(place), EVEN, EVEN] for place in PLACES], patients=patients)
    row, whole = label_figures(judged.table, LABELS.names)
    assert row.figures == Undefined("too few: 24 images of 9 patients, fewer than 10")
    assert (whole.label, whole.pairs, verdict(whole)) == (ALL, 24, whole.note)


def test_intervals_are_by_patient(tmp_path):
    places = [index // 6 % 4 for index in range(96)]
    maps = [[sharp(place if index // 6 % 3 else 3 - place), EVEN, EVEN] for index, place in enumerate(places)]
    images = [str(index) for index in range(96)]
    patients = [str(index // 6) for index in range(96)]
    widths = []
    for folder, whose in (("images", images), ("patients", patients)):
        found = label_figures(judged_of(tmp_path / folder, places, maps, patients=whose).table, LABELS.names)[0]
        widths.append(found.figures["energy"].interval.width)
    assert widths[1] > 2 * widths[0]


def test_what_is_left_out_is_counted_by_its_reason():
    left_out = Counter()
    pairs = kept(Given(Undefined("a"), Pair(0, 0, quarter(0)), Undefined("b"), Undefined("a")), left_out)
    assert [pair.row for pair in pairs] == [0]
    assert left_out == {"a": 2, "b": 1}
