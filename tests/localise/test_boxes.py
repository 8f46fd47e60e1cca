"""Tables of boxes, the published one and a plain one."""

from __future__ import annotations

import numpy as np
import pytest

from cxr.errors import DataError
from cxr.evaluate.undefined import Undefined
from cxr.localise.boxes import Box, read_boxes
from cxr.localise.frame import Frame, frame_of
from cxr.localise.names import names_of
from cxr.localise.truth import BoxTruth, Pair
from tests.localise.sides import SIZE, side_of

PUBLISHED = "Image Index,Finding Label,Bbox [x,y,w,h],,,\n"
PLAIN = "image,label,x,y,width,height\n"


def table(tmp_path, text):
    path = tmp_path / "boxes.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_published_header_is_read_as_it_is(tmp_path):
    path = table(tmp_path, PUBLISHED + "00000001_000.png,Infiltrate,225.08,547.02,86.78,79.19\n00000001_000.png,Mass,1,2,3,4\n")
    first, second = read_boxes(path)
    assert (first.image, first.label) == ("00000001_000.png", "Infiltrate")
    assert first.boxes == (Box(225.08, 547.02, 86.78, 79.19, (1024, 1024)),)
    assert second.label == "Mass"


def test_the_nih_table_has_984_boxes_of_880_images(nih_folder):
    found = read_boxes(nih_folder / "BBox_List_2017.csv")
    assert sum(len(each.boxes) for each in found) == 984
    assert len({each.image for each in found}) == 880


def test_boxes_of_one_finding_in_one_image_are_united(tmp_path):
    found = read_boxes(table(tmp_path, PLAIN + "a,Mass,1,2,3,4\nb,Mass,1,1,1,1\na,Mass,5,6,7,8\n"))
    assert [(each.image, len(each.boxes)) for each in found] == [("a", 2), ("b", 1)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("image,label,x,y,width\na,Mass,1,2,3\n", "no column 'height'"),
        (PLAIN + "a,Mass,1,2,3,4\na,Mass,one,2,3,4\n", "row 3: x is 'one', not a number"),
        (PLAIN + "a,Mass,1,2,nan,4\n", "row 2: width is 'nan', not a number"),
        (PLAIN + "a,Mass,1,2,3,0\n", "row 2: a width or height is not above 0"),
        (PLAIN + "a,,1,2,3,4\n", "row 2: image or label is empty"),
        (PLAIN, "has no row"),
        ("image,label,x,y,width,height,image_width\na,Mass,1,2,3,4,100\n", "give both or neither"),
        ("", "cannot be read as a table"),
    ],
)
def test_a_table_that_is_wrong_is_refused_by_row_and_column(tmp_path, text, problem):
    with pytest.raises(DataError, match=problem):
        read_boxes(table(tmp_path, text))


def test_a_table_that_is_missing_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv: cannot be read"):
        read_boxes(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        (Box(10, 20, 5, 6), (20, 26, 10, 15)),
        (Box(20, 80, 10, 12, (120, 160)), (40, 46, 10, 15)),  # drawn on an image of twice the size
        (Box(-5, 70, 10, 30), (70, 80, 0, 5)),
        (Box(10.2, 20.2, 0.1, 0.1), (20, 21, 10, 11)),
    ],
)
def test_a_box_fills_the_pixels_that_it_covers(box, inside):
    mask = np.zeros((80, 60), bool)
    box.draw(mask)
    top, bottom, left, right = inside
    expected = np.zeros_like(mask)
    expected[top:bottom, left:right] = True
    assert np.array_equal(mask, expected)


def test_a_box_of_an_image_of_another_shape_does_not_fit(tmp_path):
    frame = frame_of(80, 60, "{}", side_of(tmp_path, [[1, 0, 0]]).store.preprocessing)
    assert isinstance(frame, Frame)
    assert Box(1, 1, 1, 1).fits(frame)
    assert Box(1, 1, 1, 1, (600, 800)).fits(frame)
    assert not Box(1, 1, 1, 1, (800, 600)).fits(frame)


OVER = "the box reaches over the edge of the image, as if drawn on a copy of another size"
ODD = [
    (["a,Mass,1,2,3,4"], "no image of this side has the name"),
    (["name-0,Fracture,1,2,30,40"], "'Fracture' is no label of the model"),
    (["name-0,Effusion,1,2,30,40"], "the label table does not say that the finding is there"),
    (["name-0,Hernia,1,2,30,40"], "the label table does not say that the finding is there"),
    (["name-0,Mass,70,2,30,40"], OVER),
    (["name-0,Mass,40,50,600,700"], OVER),  # drawn on an original of many more pixels
    (["name-0,Mass,-30,2,50,40"], OVER),
    (["name-0,Mass,1,2,30,40", "name-0,Mass,1,40,30,40"], OVER),
    (["name-0,Mass,10,10,1,1"], "too small, or cut away, in the image that the model sees"),
    (["name-1,Mass,10,10,30,30"], "the manifest does not tell how the image was turned"),
]


@pytest.mark.parametrize(("rows", "reason"), ODD)
def test_what_cannot_be_laid_on_an_image_is_left_out_with_a_reason(tmp_path, rows, reason):
    side = side_of(tmp_path / "store", [[1, 0, 2], [1, 0, 0]])
    side.frame.loc[1, "decisions"] = '{"orientation": "some way", "aspect": "as stored"}'
    truth = BoxTruth(side, read_boxes(table(tmp_path, PLAIN + "\n".join(rows))), names_of(side.frame))
    (found,) = truth.pairs()
    assert found == Undefined(reason)


def test_a_hand_that_slips_over_the_edge_draws_a_box_all_the_same(tmp_path):
    side = side_of(tmp_path / "store", [[1, 0, 0]])
    path = table(tmp_path, PLAIN + "name-0,Mass,-2,30,40,36\n")
    (found,) = BoxTruth(side, read_boxes(path), names_of(side.frame)).pairs()
    assert isinstance(found, Pair)
    assert found.truth[15:, :19].all()


def test_a_box_of_another_shape_is_left_out(tmp_path):
    side = side_of(tmp_path / "store", [[1, 0, 0]], shapes=[(64, 48)])
    path = table(tmp_path, PUBLISHED + "name-0.png,Mass,100,100,300,300\n")
    (found,) = BoxTruth(side, read_boxes(path), names_of(side.frame)).pairs()
    assert found == Undefined("the image that the box was drawn on has another shape than the file")


def test_boxes_under_a_name_and_its_synonym_are_one_finding_and_images_come_in_order(tmp_path):
    side = side_of(tmp_path / "store", [[1, 1, 0], [1, 0, 0]])
    rows = ["name-1,Mass,0,0,32,32", "name-0,Mass,0,0,32,32", "name-0,lump,32,32,32,32", "name-0,Effusion,0,0,64,32"]
    found = list(BoxTruth(side, read_boxes(table(tmp_path, PLAIN + "\n".join(rows))), names_of(side.frame)).pairs())
    assert all(isinstance(each, Pair) for each in found)
    assert [(each.row, each.label) for each in found] == [(0, 0), (0, 1), (1, 0)]
    half = SIZE // 2
    both = found[0].truth
    assert both[:half, :half].all()
    assert both[half:, half:].all()
    assert both.mean() == 0.5
