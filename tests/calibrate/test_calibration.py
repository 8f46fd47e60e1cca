from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cxr.calibrate.calibration import Calibration, LabelCalibration, read_calibration
from cxr.calibrate.scaling import Platt, Temperature, Unchanged
from cxr.calibrate.thresholds import Confusion, OperatingPoint
from cxr.config_evaluate import CalibrateConfig, OperatingRule
from cxr.errors import DataError
from cxr.evaluate.undefined import Undefined
from cxr.labels.values import NEGATIVE, POSITIVE, UNKNOWN

YOUDEN = CalibrateConfig(points=(OperatingRule(rule="youden"),))
COUNTS = Confusion(true_positives=9, false_positives=2, false_negatives=1, true_negatives=88)


def calibration(labels, config=YOUDEN):
    return Calibration(schema_version=1, config=config, unit="study", combine="max", images=100, patients=80, labels=labels)


def label(threshold, scaling=None):
    point = threshold if isinstance(threshold, Undefined) else OperatingPoint(threshold=threshold, validation=COUNTS)
    return LabelCalibration(scaling=scaling or Platt(slope=0.5, intercept=0.1), points={"youden": point})


TWO = calibration({"Edema": label(0.3, Unchanged(reason="few")), "Hernia": label(Undefined("no positives"))})


def content(change):
    """JSON of a valid calibration after a change to it as plain objects."""
    plain = json.loads(calibration({"Edema": label(0.3), "Hernia": label(0.2)}).to_json())
    change(plain)
    return json.dumps(plain)


finite = st.floats(allow_nan=False, allow_infinity=False)
above_zero = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
counts = st.integers(0, 10**9)
confusions = st.builds(Confusion, true_positives=counts, false_positives=counts, false_negatives=counts, true_negatives=counts)
points = st.builds(OperatingPoint, threshold=st.floats(0, 1, exclude_min=True), validation=confusions)
reasons = st.text(min_size=1).map(Undefined)


@st.composite
def calibrations(draw):
    method = draw(st.sampled_from(["platt", "temperature", "none"]))
    rules = (OperatingRule(rule="youden"), OperatingRule(rule="ppv", target=draw(st.floats(0.01, 0.99))))
    fitted = {
        "platt": st.builds(Platt, slope=above_zero, intercept=finite),
        "temperature": st.builds(Temperature, slope=above_zero),
        "none": st.builds(Unchanged, reason=st.text(min_size=1)),
    }
    scaling = st.one_of(fitted[method], fitted["none"])
    of_label = st.builds(
        LabelCalibration, scaling=scaling, points=st.fixed_dictionaries({r.name: points | reasons for r in rules})
    )
    labels = draw(st.dictionaries(st.text(min_size=1), of_label, min_size=1, max_size=4))
    return calibration(labels, CalibrateConfig(method=method, points=rules))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(calibrations())
def test_json_gives_back_every_bit(fitted):
    assert Calibration.from_json(fitted.to_json()) == fitted
    assert Calibration.model_validate(json.loads(fitted.to_json())) == fitted


def test_probabilities_and_decisions_follow_the_names_of_the_columns():
    fitted = calibration({"Edema": label(0.3), "Hernia": label(0.7, Unchanged(reason="few"))})
    scores = np.array([[0.2, 0.9], [0.4, 0.6]])
    probabilities = fitted.apply(scores, ("Edema", "Hernia"))
    np.testing.assert_array_equal(probabilities[:, 0], Platt(slope=0.5, intercept=0.1)(scores[:, 0]))
    np.testing.assert_array_equal(probabilities[:, 1], scores[:, 1])
    turned = fitted.apply(scores[:, ::-1], ("Hernia", "Edema"))
    np.testing.assert_array_equal(turned[:, ::-1], probabilities)
    codes = fitted.decide(turned, ("Hernia", "Edema"), "youden")
    np.testing.assert_array_equal(codes, [[POSITIVE, POSITIVE], [NEGATIVE, POSITIVE]])


def test_a_label_without_the_point_is_neither_yes_nor_no():
    codes = TWO.decide(np.array([[0.3, 0.99], [0.29, 0.01]]), ("Edema", "Hernia"), "youden")
    np.testing.assert_array_equal(codes, [[POSITIVE, UNKNOWN], [NEGATIVE, UNKNOWN]])


@pytest.mark.parametrize(
    ("scores", "names", "message"),
    [
        ([[0.1, 0.2]], ("Edema", "Mass"), "label 'Mass' was not fitted; there are: Edema, Hernia"),
        ([[0.1, 0.2]], ("Edema",), r"scores of shape \(1, 2\) for 1 labels"),
        ([0.1, 0.2], ("Edema", "Hernia"), "scores of shape"),
        ([[0.1, 0.2], [0.1, 1.5]], ("Edema", "Hernia"), "label 'Hernia': score 1.5 in row 1 is not in 0 to 1"),
        ([[np.nan, 0.2]], ("Edema", "Hernia"), "label 'Edema': score nan in row 0"),
        ([[0.1, -1e-9]], ("Edema", "Hernia"), "label 'Hernia'"),
    ],
)
def test_wrong_scores_are_refused_with_the_label(scores, names, message):
    for use in (TWO.apply, lambda values, labels: TWO.decide(values, labels, "youden")):
        with pytest.raises(DataError, match=message):
            use(np.array(scores), names)


def test_an_operating_point_that_there_is_not_is_refused():
    with pytest.raises(DataError, match=r"no operating point 'ppv 0\.5'; there are: youden"):
        TWO.decide(np.array([[0.3]]), ("Edema",), "ppv 0.5")


def edema(key, value):
    def change(plain):
        place = plain["labels"]["Edema"]
        *parents, last = key.split("/")
        for parent in parents:
            place = place[parent]
        place[last] = value

    return change


def without_point(plain):
    del plain["labels"]["Edema"]["points"]["youden"]


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (edema("points/youden/threshold", 0.0), ("Edema", "youden", "threshold", "greater than 0")),
        (edema("points/youden/threshold", 1.0000001), ("Edema", "youden", "threshold", "less than or equal to 1")),
        (edema("points/youden/threshold", float("nan")), ("Edema", "youden", "threshold")),
        (edema("points/youden/threshold", "0.3"), ("Edema", "youden", "threshold", "number")),
        (edema("points/youden/treshold", 0.3), ("Edema", "youden", "treshold")),
        (edema("points/youden/validation/true_positives", -1), ("Edema", "true_positives")),
        (edema("points/youden", {"reason": ""}), ("Edema", "youden", "reason")),
        (edema("points/youden", {"reason": "few", "threshold": 0.5}), ("Edema", "youden", "threshold")),
        (edema("points/other", {"reason": "few"}), ("Edema", "'other', 'youden'")),
        (without_point, ("Edema", "has the operating points []")),
        (edema("scaling/slope", float("inf")), ("Edema", "slope", "finite")),
        (edema("scaling/slope", -0.5), ("Edema", "slope")),
        (edema("scaling/intercept", None), ("Edema", "intercept")),
        (edema("scaling", {"method": "temperature", "slope": 1.0}), ("Edema", "scaled by temperature, not platt")),
        (edema("scaling/method", "isotonic"), ("Edema", "scaling", "isotonic")),
        (edema("note", "checked"), ("Edema", "note")),
        (lambda plain: plain.update(labels={}), ("labels",)),
        (lambda plain: plain.update(schema_version=2), ("schema_version", "1")),
        (lambda plain: plain.pop("schema_version"), ("schema_version", "required")),
        (lambda plain: plain.update(images=0), ("images",)),
        (lambda plain: plain.update(unit="series"), ("unit", "'image', 'study' or 'patient'")),
        (lambda plain: plain.pop("combine"), ("combine", "required")),
        (lambda plain: plain.update(more=1), ("more",)),
        (lambda plain: plain["config"].update(points=[]), ("config", "points")),
    ],
)
def test_wrong_json_is_refused_with_the_place(change, parts):
    with pytest.raises(DataError) as refused:
        Calibration.from_json(content(change))
    for part in ("calibration: ", *parts):
        assert part in str(refused.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_no_json_is_refused(text):
    with pytest.raises(DataError, match="calibration: "):
        Calibration.from_json(text)


def test_a_file_is_read_and_a_wrong_one_is_named(tmp_path):
    path = tmp_path / "calibration.json"
    with pytest.raises(DataError, match=r"calibration\.json: cannot be read"):
        read_calibration(path)
    path.write_text(TWO.to_json())
    assert read_calibration(path) == TWO
    path.write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"calibration\.json: cannot be read"):
        read_calibration(path)
    path.write_text(content(edema("points/youden/threshold", 0.0)))
    with pytest.raises(DataError, match=r"calibration\.json: calibration: labels: Edema: points: youden"):
        read_calibration(path)


def test_it_is_frozen():
    with pytest.raises(ValidationError):
        TWO.images = 1
