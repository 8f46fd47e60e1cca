"""A frozen split is read as it was written or not at all, and known patients stay where they were whatever is added."""

from __future__ import annotations

import hashlib
from itertools import cycle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.errors import DataError
from cxr.manifest import SPLITS, Manifest
from cxr.split.draw import drawn_split
from cxr.split.frozen import absent, frozen_split, read_split, write_split
from cxr.split.people import people_of
from cxr.split.split import Split, split_digest

SHARES = {"train": 0.5, "val": 0.25, "test": 0.25}


def patients(start, stop, images=2):
    return [f"p{patient}" for patient in range(start, stop) for _ in range(images)]


@pytest.fixture
def cohort(manifest_of):
    """Makes a manifest of patients; the same image has the same name however many follow."""

    def make(owners, **columns):
        codes = (np.random.default_rng(0).random((len(owners), 2)) < 0.3).astype(np.int8)
        manifest = manifest_of(owners, codes)
        return Manifest(manifest.frame.assign(**columns), manifest.label_names)

    return make


@pytest.fixture
def known(cohort):
    """The split of 40 images of 20 patients."""
    manifest = cohort(patients(0, 20))
    return drawn_split(manifest, people_of(manifest), SHARES, 0)


@pytest.fixture
def file(known, tmp_path):
    write_split(known, tmp_path / "split.csv")
    return tmp_path / "split.csv"


def again(manifest, frozen, new="refuse", seed=0, **rest):
    return frozen_split(manifest, people_of(manifest), frozen, new, SHARES, seed, **rest)


def test_a_split_is_read_back_as_it_was_written(known, file):
    frozen = read_split(file)
    pd.testing.assert_frame_equal(frozen, known.frame[["image_id", "patient_id", "split"]], check_dtype=False)
    assert split_digest(frozen) == known.digest


def test_the_first_line_is_the_digest_of_the_rest(file):
    first, rest = file.read_bytes().split(b"\n", 1)
    assert first == b"# cxr split, sha256 of what follows: " + hashlib.sha256(rest).hexdigest().encode()


def test_the_same_split_is_written_the_same(known, file, tmp_path):
    write_split(known, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == file.read_bytes()


odd = st.sampled_from(["NA", "nan", "007", "1e5", "a,b", 'a"b', "# x", " x ", "True", "ä", "\N{LINE SEPARATOR}"])
name = odd | st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)


@settings(max_examples=50, deadline=None)
@given(names=st.lists(name, min_size=3, max_size=12, unique=True))
def test_any_name_is_read_back_as_it_was_written(tmp_path_factory, names):
    sides = [SPLITS[index % 3] for index in range(len(names))]
    split = Split(pd.DataFrame({"image_id": names, "patient_id": names, "pixel_sha256": "", "alike": "", "split": sides}))
    path = tmp_path_factory.getbasetemp() / "names.csv"
    write_split(split, path)
    assert read_split(path).to_numpy().tolist() == split.frame[["image_id", "patient_id", "split"]].to_numpy().tolist()


def test_a_side_that_was_flipped_is_refused(file):
    text = file.read_text()
    file.write_text(text.replace(",test\n", ",val\n", 1))
    assert file.read_text() != text
    with pytest.raises(DataError, match=r"split\.csv: the split was changed after it was written"):
        read_split(file)


def test_a_row_that_was_removed_or_moved_is_refused(file):
    lines = file.read_text().splitlines(keepends=True)
    for changed in (lines[:-1], [*lines[:2], *lines[3:]], [*lines[:2], lines[3], lines[2], *lines[4:]]):
        file.write_text("".join(changed))
        with pytest.raises(DataError, match="changed after it was written"):
            read_split(file)


def test_no_byte_can_be_changed(file):
    whole = file.read_bytes()
    for place, change in zip(range(len(whole)), cycle((1, 0x20, 0x80)), strict=False):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ change]) + whole[place + 1 :])
        with pytest.raises(DataError, match=r"not a split that cxr has written|changed after it was written"):
            read_split(file)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("image_id,patient_id,split\ni1,p1,train\ni2,p2,val\ni1,p1,train\n", "an image stands twice"),
        ("image_id,patient_id,split\ni1,p1,train\ni2,p2,val\ni3,p1,test\n", "patients stand on more than one side: p1$"),
        ("image_id,patient_id,split\ni1,p1,train\ni2,p2,Val\n", "none of the sides train, val, test"),
        ("image_id,patient_id,split\ni1,p1,train\ni2,p2\n", "none of the sides train, val, test"),
        ("image_id,patient_id,split\n", "none of the sides train, val, test"),
        ("image_id,patient_id,side\ni1,p1,train\n", "its columns are not image_id, patient_id, split"),
        ("patient_id,image_id,split\np1,i1,train\n", "its columns are not image_id, patient_id, split"),
        ("", "its columns are not image_id, patient_id, split"),
    ],
)
def test_a_file_whose_digest_was_made_anew_is_refused_where_it_is_no_split(tmp_path, rows, message):
    digest = hashlib.sha256(rows.encode()).hexdigest()
    (tmp_path / "mine.csv").write_text(f"# cxr split, sha256 of what follows: {digest}\n{rows}")
    with pytest.raises(DataError, match=rf"mine\.csv: .*{message}"):
        read_split(tmp_path / "mine.csv")


def test_a_file_that_was_rewritten_with_other_line_ends_or_a_mark_in_front_is_the_same(known, file):
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert split_digest(read_split(file)) == known.digest


@pytest.mark.parametrize(
    "content", [b"", b"image_id,patient_id,split\ni,p,train\n", b"PAR1\x15\x04\xff\xfe", b"# cxr split\nimage_id\n"]
)
def test_a_file_that_cxr_did_not_write_is_refused(tmp_path, content):
    (tmp_path / "mine.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"mine\.csv: not a split that cxr has written"):
        read_split(tmp_path / "mine.csv")


def test_the_same_images_are_split_the_same(cohort, known, file):
    assert again(cohort(patients(0, 20)), read_split(file), seed=9).digest == known.digest


def test_a_frozen_split_does_not_depend_on_the_order_of_the_rows(cohort, known, file):
    manifest = cohort(patients(0, 20))
    turned = Manifest(manifest.frame.iloc[::-1].reset_index(drop=True), manifest.label_names)
    assert again(turned, read_split(file)).digest == known.digest


def sides_of(split):
    """The side of each patient."""
    return dict(zip(split.frame["patient_id"], split.frame["split"], strict=True))


@pytest.mark.parametrize("new", ["refuse", "train", "draw"])
def test_new_images_of_known_patients_follow_them(cohort, known, file, new):
    grown = again(cohort([*patients(0, 20), *patients(0, 20, images=1)]), read_split(file), new)
    assert sides_of(grown) == sides_of(known)
    assert grown.frame["split"].iloc[40:].tolist() == [sides_of(known)[patient] for patient in patients(0, 20, images=1)]


def test_new_images_of_a_known_patient_whose_images_are_all_gone_follow_the_patient(cohort, known, file):
    manifest = cohort([*patients(0, 20), *patients(0, 20, images=1)])
    fewer = Manifest(manifest.frame.drop(index=[0, 1, 20, 21]).reset_index(drop=True), manifest.label_names)
    assert sides_of(again(fewer, read_split(file))) == sides_of(known)


def test_new_patients_are_refused_and_named(cohort, file):
    with pytest.raises(DataError, match=r"2 patients are not in it: p20, p21; split\.new_patients"):
        again(cohort(patients(0, 22)), read_split(file), "refuse")


def test_new_patients_train_where_they_are_told_to(cohort, known, file):
    grown = sides_of(again(cohort(patients(0, 40)), read_split(file), "train"))
    assert {patient: grown[patient] for patient in sides_of(known)} == sides_of(known)
    assert {grown[patient] for patient in patients(20, 40)} == {"train"}


def test_new_patients_are_drawn_in_the_shares_of_a_new_split_and_the_known_ones_stay(cohort, known, file):
    grown = [again(cohort(patients(0, 60)), read_split(file), "draw", seed) for seed in (1, 1, 2)]
    for split in grown:
        assert {patient: sides_of(split)[patient] for patient in sides_of(known)} == sides_of(known)
        shares = split.frame["split"].iloc[40:].value_counts(normalize=True)
        assert shares.to_dict() == pytest.approx(SHARES, abs=0.03)
    assert grown[0].digest == grown[1].digest != grown[2].digest


@pytest.mark.parametrize("new", ["refuse", "train", "draw"])
@pytest.mark.parametrize("first", [0, 50])
def test_a_file_that_has_none_of_the_images_is_another_data_sets_and_refused(cohort, file, new, first):
    """Also where patients have the same names by chance."""
    manifest = cohort(patients(first, first + 30), image_id=[f"n:{index}" for index in range(60)])
    with pytest.raises(DataError, match=r"^split\.frozen: it has none of these images"):
        again(manifest, read_split(file), new)


def test_few_new_patients_are_drawn_by_chance_each_for_itself(cohort, known, file):
    """A balanced draw of three would put one on every side, whatever the shares; and the next few must not move these."""
    some, more = (again(cohort(patients(0, count)), read_split(file), "draw") for count in (24, 28))
    sides = dict(zip(more.frame["image_id"], more.frame["split"], strict=True))
    assert all(sides[image] == side for image, side in zip(some.frame["image_id"], some.frame["split"], strict=True))
    for patient in ("p20", "p23"):
        assert len(set(some.frame.loc[some.frame["patient_id"].str.endswith(patient), "split"])) == 1


def test_new_patients_who_come_one_by_one_have_the_shares_in_the_end(cohort, known, file):
    new = [
        again(cohort([*patients(0, 20), f"n{number}", f"n{number}"]), read_split(file), "draw").frame["split"].iloc[-1]
        for number in range(300)
    ]
    for side, share in SHARES.items():
        assert new.count(side) / 300 == pytest.approx(share, abs=0.07)


def united(cohort, owners, column, *images):
    """A manifest in which some images are the same."""
    texts = [f"t:{index:04d}" for index in range(len(owners))]
    for image in images[1:]:
        texts[image] = texts[images[0]]
    return cohort(owners, **{column: texts})


@pytest.mark.parametrize("column", ["pixel_sha256", "alike"])
def test_a_new_patient_who_is_a_known_person_under_another_id_follows_that_person(cohort, known, file, column):
    for image in (0, 10, 20, 30):
        grown = again(united(cohort, patients(0, 21), column, image, 40), read_split(file), "refuse")
        assert set(grown.frame["split"].iloc[40:]) == {known.frame["split"].iloc[image]}


def test_known_patients_of_different_sides_with_the_same_pixels_are_refused_by_name(cohort, known, file):
    sides = known.frame["split"].to_numpy()
    one, other = int(np.flatnonzero(sides == "train")[0]), int(np.flatnonzero(sides == "test")[0])
    named = ", ".join(known.frame["patient_id"].iloc[sorted((one, other))])
    with pytest.raises(DataError, match=f"2 patients share an image with another side: {named}$"):
        again(united(cohort, patients(0, 20), "pixel_sha256", one, other), read_split(file), "draw")


def test_known_patients_of_different_sides_who_look_alike_are_refused_by_name_unless_that_is_allowed(cohort, known, file):
    """Where it is allowed the stage warns, and what was frozen stays frozen."""
    sides = known.frame["split"].to_numpy()
    one, other = int(np.flatnonzero(sides == "train")[0]), int(np.flatnonzero(sides == "test")[0])
    manifest = united(cohort, patients(0, 20), "alike", one, other)
    named = ", ".join(known.frame["patient_id"].iloc[sorted((one, other))])
    with pytest.raises(DataError, match=rf"looks like one on another side \(see split\.alike\): {named}$"):
        again(manifest, read_split(file))
    grown = again(manifest, read_split(file), alike=False)
    assert (grown.frame["split"].to_numpy() == sides).all()


@pytest.mark.parametrize("column", ["pixel_sha256", "alike"])
def test_known_patients_of_different_sides_whom_a_new_patient_joins_are_refused_by_name(cohort, known, file, column):
    sides = known.frame["split"].to_numpy()
    ends = [int(np.flatnonzero(sides == side)[0]) for side in ("train", "test")]
    manifest = cohort(patients(0, 21))
    texts = manifest.frame[column].tolist()
    texts[ends[0]], texts[ends[1]] = texts[40], texts[41]  # the two images of the new patient
    with pytest.raises(DataError, match=r"new patients look like patients of more than one side: .*p20;"):
        again(Manifest(manifest.frame.assign(**{column: texts}), manifest.label_names), read_split(file), "draw")


def test_an_image_that_is_said_to_be_of_another_known_patient_now_is_refused(cohort, known, file):
    sides = sides_of(known)
    owners = patients(0, 20)
    owners[0] = next(patient for patient in owners if sides[patient] != sides["p0"])
    with pytest.raises(DataError, match=f"patients stand on more than one side: {owners[0]}$"):
        again(cohort(owners), read_split(file))


def test_images_that_are_gone_are_counted_and_the_others_stay(cohort, known, file):
    manifest = cohort(patients(0, 20))
    fewer = Manifest(manifest.frame.drop(index=[3, 17, 18]).reset_index(drop=True), manifest.label_names)
    assert absent(fewer, read_split(file)) == 3
    assert absent(manifest, read_split(file)) == 0
    kept = again(fewer, read_split(file)).frame.set_index("image_id")["split"]
    assert kept.equals(known.frame.drop(index=[3, 17, 18]).set_index("image_id")["split"])
