from __future__ import annotations

import json

import numpy as np
import pytest

from cxr.ingest.audit.panels import context_panels, pixel_panels


@pytest.fixture
def panels(make_manifest):
    """The panels of images with these columns, by title."""

    def make(count, **columns):
        manifest = make_manifest([f"image-{index}" for index in range(count)], **columns)
        return {panel.title: panel for panel in [*pixel_panels(manifest), *context_panels(manifest)]}

    return make


def names(panel):
    return {bar.name: bar.count for bar in panel.bars}


def voi(*texts):
    return {"decisions": [json.dumps({"voi": text}) for text in texts]}


def test_every_property_has_a_panel(panels):
    assert set(panels(3, study_date="2020-02-29")) == {
        "Size", "Window or look-up table", "Window width", "Stored bits", "Transfer syntax", "Modality step", "Polarity",
        "Manufacturer", "View", "Sex", "Age", "Study year",
    }  # fmt: skip


def test_windows_are_told_by_place_function_and_width(panels):
    texts = [
        "window 1 of 2: 2048 / 4096 LINEAR", "window 1 of 2: 100 / 4095.5 LINEAR", "window 2 of 2: 0 / 0.5 SIGMOID",
        "VOI LUT 1 of 1", "whole range of the stored bits", "whole range of the stored bits; window 5 / 0 LINEAR unusable",
    ]  # fmt: skip
    found = panels(6, **voi(*texts))
    assert names(found["Window or look-up table"]) == {
        "window 1 of 2, LINEAR": 2, "window 2 of 2, SIGMOID": 1, "VOI LUT 1 of 1": 1, "whole range of the stored bits": 1,
        "whole range of the stored bits; window unusable": 1,
    }  # fmt: skip
    widths = found["Window width"].bars
    assert [(bar.name, bar.count) for bar in widths] == [("below 1", 1), ("2,048 to < 4,096", 1), ("4,096 to < 8,192", 1)]


@pytest.mark.parametrize("width", ["nan", "inf", "-4", "0", "wide", "1e400"])
def test_a_width_that_is_no_width_has_no_class(panels, width):
    assert panels(1, **voi(f"window 1 of 1: 10 / {width} LINEAR"))["Window width"].bars == ()


def test_sizes_are_told_with_the_longer_side(panels):
    size = panels(4, height=[3000, 3000, 2500, 1], width=[2000, 2000, 3500, 1])["Size"]
    assert names(size) == {"3,000 × 2,000": 2, "1 × 1": 1, "2,500 × 3,500": 1}
    assert "1 to 3,500, median 3,000" in size.words


def test_pooled_ages_and_unknown_ones_are_told(panels):
    age = panels(4, age_years=[90.0, 0.0, np.nan, 90.0])["Age"]
    assert "Not known for 1 of 4 images. Median 90." in age.note
    assert age.picture.startswith("data:image/svg+xml")


def test_dates_are_counted_by_year_and_what_is_no_date_is_left_out(panels):
    year = panels(4, study_date=["1999-12-31", "", "Doe^Jane", "2003-01-01"])["Study year"]
    assert "No date for 2 of 4 images." in year.note
    assert "from 1999 to 2003" in year.words


def test_nothing_known_leaves_no_picture(panels):
    found = panels(2, study_date="", age_years=np.nan, **voi("as published", "as published"))
    assert not found["Age"].picture
    assert not found["Study year"].picture
    assert not found["Window width"].bars


def test_no_image_at_all_can_be_shown(panels):
    found = panels(0, study_date="")
    assert all(not panel.bars and not panel.picture for panel in found.values())
