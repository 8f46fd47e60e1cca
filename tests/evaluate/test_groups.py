from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cxr.errors import ConfigError
from cxr.evaluate.groups import AGE_BANDS, MOST_GROUPS, group_images


def frame_of(**columns):
    size = len(next(iter(columns.values())))
    return pd.DataFrame({"image_id": [f"i{index}" for index in range(size)], "patient_id": "p", "study_id": "s", **columns})


def test_ages_fall_into_the_documented_bands_at_their_edges():
    ages = [0, 17, 17.9, 18, 39, 40, 59, 60, 79, 80, 90, np.nan, -1]
    wanted = ["0-17"] * 3 + ["18-39"] * 2 + ["40-59"] * 2 + ["60-79"] * 2 + ["80+"] * 2 + ["unknown"] * 2
    assert group_images(frame_of(age_years=ages), ["age_band"]).frame["age_band"].tolist() == wanted
    assert set(wanted) == {*AGE_BANDS, "unknown"}


def test_texts_numbers_and_blanks_become_groups():
    frame = frame_of(manufacturer=["A ", "", None, "b"], height=[512, 512, 1024, 512])
    groups = group_images(frame, ["manufacturer", "height"]).frame
    assert groups["manufacturer"].tolist() == ["A", "unknown", "unknown", "b"]
    assert groups["height"].tolist() == ["512", "512", "1024", "512"]


def test_usual_column_that_is_absent_is_left_out_and_named():
    groups = group_images(frame_of(sex=["F", "M"]), ["sex", "manufacturer", "age_band"])
    assert list(groups.frame) == ["sex"]
    assert groups.absent == ("manufacturer", "age_band")


def test_no_columns_at_all_leave_the_rows():
    assert group_images(frame_of(sex=["F", "M"]), []).frame.shape == (2, 0)


def test_misspelt_column_names_the_one_that_was_meant():
    with pytest.raises(ConfigError, match=r"no column 'scaner'; did you mean scanner\?"):
        group_images(frame_of(scanner=["a", "b"]), ["scaner"])
    with pytest.raises(ConfigError, match=r"no column 'ward'; there are sex, age_band"):
        group_images(frame_of(sex=["F", "M"]), ["ward"])


def test_column_of_too_many_values_is_refused_with_a_way_out():
    with pytest.raises(ConfigError, match=r"'dose' has 51 different values.* 50 groups.*make a column of fewer values"):
        group_images(frame_of(dose=np.linspace(0, 1, MOST_GROUPS + 1)), ["dose"])
    with pytest.raises(ConfigError, match=r"'age_years' has 60 .*use age_band"):
        group_images(frame_of(age_years=np.arange(60.0)), ["age_years"])
    assert group_images(frame_of(dose=np.linspace(0, 1, MOST_GROUPS)), ["dose"]).frame["dose"].nunique() == MOST_GROUPS


@pytest.mark.parametrize("column", ["patient_id", "image_id", "study_id", "score/A", "truth/A"])
def test_persons_images_and_scores_make_no_groups(column):
    with pytest.raises(ConfigError, match=f"'{column}' names images or persons"):
        group_images(frame_of(**{"score/A": [0.1, 0.2], "truth/A": ["0", "1"]}), [column])
