from __future__ import annotations

import time

import numpy as np
import pytest

from cxr.ingest.label_audit.copies import COLUMNS


def hashes(count: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [rng.bytes(32).hex() for _ in range(count)]


def turned(text: str, bits: int) -> str:
    """A hash with its last bits turned."""
    return f"{int(text, 16) ^ ((1 << bits) - 1):064x}"


def listed(found) -> list[tuple]:
    return [tuple(row) for row in found.pairs.itertuples(index=False)]


@pytest.fixture
def source(make_manifest):
    """Six images: 0 and 3 have the same pixels, 4 is near to 1; of 2 and 5 only a table knows."""
    texts = hashes(6)
    texts[3], texts[4], texts[2], texts[5] = texts[0], turned(texts[1], 5), "", ""
    pixels = ["a", "b", "", "a", "c", ""]
    patients = ["p", "q", "r", "p", "s", "t"]
    return make_manifest(6, pixel_sha256=pixels, perceptual_hash=texts, patient_id=patients)


def test_another_patient_stands_first(source, find):
    found = find(source)
    assert tuple(found.pairs) == COLUMNS
    assert listed(found) == [
        ("near", "t:0001i", "t:0004i", "", 5, True),
        ("same pixels", "t:0000i", "t:0003i", "", 0, False),
    ]
    assert (found.compared, found.sources) == (4, ())
    assert found.count(within=True, other_patient=True) == 1
    assert found.count("same pixels") == 1
    assert found.count(within=False) == 0


def test_of_images_with_the_same_pixels_each_is_paired_with_the_first(make_manifest, find):
    texts = hashes(1) * 5
    found = find(make_manifest(5, pixel_sha256=["a"] * 5, perceptual_hash=texts))
    assert [(row[1], row[2]) for row in listed(found)] == [("t:0000i", f"t:000{index}i") for index in range(1, 5)]


def test_images_that_only_tables_list_are_no_duplicates_of_each_other(make_manifest, find):
    found = find(make_manifest(4), [make_manifest(3, "u")])
    assert (len(found), found.compared, found.sources) == (0, 0, ("u",))


@pytest.mark.parametrize("count", [0, 1])
def test_hardly_any_image(make_manifest, count, find):
    assert len(find(make_manifest(count), [make_manifest(0, "u"), make_manifest(1, "v")])) == 0


def test_other_sources_are_compared_and_named(source, make_manifest, find):
    texts = hashes(6)
    other = make_manifest(
        4,
        "u",
        pixel_sha256=["a", "x", "a", "y"],
        perceptual_hash=[texts[0], turned(texts[1], 9), texts[0], hashes(1, seed=7)[0]],
    )
    across = [row for row in listed(find(source, [other])) if row[3]]
    assert across == [
        ("same pixels", "t:0000i", "u:0000i", "u", 0, True),
        ("same pixels", "t:0000i", "u:0002i", "u", 0, True),
        ("same pixels", "t:0003i", "u:0000i", "u", 0, True),
        ("near", "t:0004i", "u:0001i", "u", 4, True),  # 9 bits turned, of which 5 are turned there, too
        ("near", "t:0001i", "u:0001i", "u", 9, True),
    ]


def test_same_pixels_are_found_as_a_loop_over_all_pairs_finds_them(make_manifest, find):
    rng = np.random.default_rng(1)
    own, theirs = (rng.choice(["", *map(str, range(30))], 60).tolist() for _ in range(2))
    a, b = make_manifest(60, pixel_sha256=own), make_manifest(60, "u", pixel_sha256=theirs)
    found = find(a, [b]).pairs
    alike = {(f"t:{i:04d}i", f"t:{j:04d}i") for i in range(60) for j in range(i) if own[i] and own[i] == own[j]}
    touched = set(found.loc[found["source"] == "", ["first", "second"]].to_numpy().ravel())
    assert touched == {image for pair in alike for image in pair}
    crossing = [(i, j) for i in range(60) for j in range(60) if own[i] and own[i] == theirs[j]]
    rows = found[found["source"] == "u"]
    assert set(rows["first"]) == {f"t:{i:04d}i" for i, _ in crossing}
    assert set(rows["second"]) == {f"u:{j:04d}i" for _, j in crossing}


def test_nothing_is_quadratic_where_all_images_are_the_same(make_manifest, find):
    count = 100_000
    a, b = (make_manifest(count, name, pixel_sha256="a", perceptual_hash=hashes(1)[0]) for name in "tu")
    start = time.perf_counter()
    found = find(a, [b])
    assert time.perf_counter() - start < 6
    assert found.count(within=True) == count - 1
    assert found.count(within=False) == 2 * count - 1
