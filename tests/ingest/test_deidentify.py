from __future__ import annotations

import math
import re
import stat
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.errors import ConfigError, CxrError
from cxr.ingest.deidentify import Pseudonyms, key_check_value, make_key, pooled_age, read_key

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


def test_key_is_written_once_for_its_owner_alone(tmp_path):
    path = tmp_path / "key"
    make_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = read_key(path)
    assert len(key) == 32
    with pytest.raises(CxrError, match="never overwritten"):
        make_key(path)
    assert read_key(path) == key


def test_two_keys_differ(tmp_path):
    for name in "ab":
        make_key(tmp_path / name)
    assert read_key(tmp_path / "a") != read_key(tmp_path / "b")


def test_key_in_a_missing_folder_is_an_error_of_one_line(tmp_path):
    with pytest.raises(CxrError, match="No such file"):
        make_key(tmp_path / "missing" / "key")


@pytest.mark.parametrize("content", [b"", b"secret", b"00" * 31, b"00" * 33, b"\xff\xfe\x00", b"zz" * 32])
def test_wrong_key_file_is_a_config_error_that_does_not_show_it(tmp_path, content):
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="key") as error:
        read_key(path)
    assert not content or repr(content)[2:-1] not in str(error.value)


def test_missing_key_file_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="cxr key"):
        read_key(tmp_path / "key")


def test_pseudonyms_differ_by_kind_source_and_key():
    names = {
        Pseudonyms(source, key).name(kind, "12345")
        for source in ("a", "b")
        for key in (KEY, OTHER)
        for kind in ("patient", "study", "file", "instance", "key")
    }
    assert len(names) == 20
    assert len({name.partition(":")[2] for name in names}) == 10  # the source is a prefix only


def test_pseudonym_is_stable_over_versions():
    # origin: HMAC-SHA256(HMAC-SHA256(key, "cxr patient"), "12345"), with OpenSSL 3
    assert Pseudonyms("a", KEY).name("patient", "12345") == "a:eb626d733b589345ad26"


@given(st.text(min_size=8, max_size=40))
def test_equal_identifiers_get_equal_pseudonyms_without_the_identifier(identifier):
    name = Pseudonyms("a", KEY).name("patient", identifier)
    assert name == Pseudonyms("a", KEY).name("patient", identifier)
    assert len(name) == 22
    assert identifier not in name
    assert name != Pseudonyms("a", KEY).name("patient", identifier + " ")


def test_file_name_that_is_not_utf_8_gets_a_pseudonym():
    latin = b"M\xfcller.dcm".decode("utf-8", "surrogateescape")
    assert Pseudonyms("a", KEY).file(latin) != Pseudonyms("a", KEY).file("Muller.dcm")


def test_public_source_keeps_its_own_names():
    names = Pseudonyms("nih", None)
    assert names.name("patient", "7") == "nih:7"
    assert names.file("images/7.png") == "images/7.png"


def test_key_shows_in_no_repr_and_in_no_check_value():
    names = Pseudonyms("a", KEY)
    assert KEY.hex()[:8] not in repr(names)
    assert repr(KEY)[2:-1] not in repr(names)
    assert key_check_value(KEY) != key_check_value(OTHER)
    assert key_check_value(KEY) not in KEY.hex()


@pytest.mark.parametrize(
    ("text", "years", "implausible"),
    [
        ("045Y", 45, False),
        ("45", 45, False),
        (" 45y ", 45, False),
        ("018M", 1, False),
        ("011M", 0, False),
        ("100W", 1, False),
        ("010D", 0, False),
        ("089Y", 89, False),
        ("089.9", 89, False),
        ("090Y", 90, False),
        ("103Y", 90, False),
        ("120Y", 90, False),
        ("121Y", None, True),
        ("411", None, True),
        ("-1", None, True),
        ("inf", None, True),
        ("nan", None, False),
        ("", None, False),
        (None, None, False),
        ("Y", None, False),
        ("old", None, False),
    ],
)
def test_age_is_pooled_above_89_and_implausible_outside_0_to_120(text, years, implausible):
    assert pooled_age(text) == (pytest.approx(math.nan if years is None else years, nan_ok=True), implausible)


@given(st.text() | st.from_regex(r"\A-?[0-9._e+]{1,8}[YMWDymwd]?\Z") | st.sampled_from(["nanY", "infD", "1e999Y", "٤٥Y"]))
def test_age_of_any_text_is_unknown_or_whole_years_from_0_to_90(text):
    years, implausible = pooled_age(text)
    assert math.isnan(years) or (0 <= years <= 90 and years == int(years) and not implausible)


def test_uid_is_a_valid_one_that_does_not_show_the_original():
    # PS3.5 9.1 and B.2: digits and points, no leading zero, at most 64 characters; "2.25." and one number of 128 bits
    originals = [f"1.2.840.{number}" for number in range(500)]
    made = [Pseudonyms("a", KEY).uid(original) for original in originals]
    assert len(set(made)) == 500
    assert all(re.fullmatch(r"2\.25\.(0|[1-9]\d{0,38})", uid) and len(uid) <= 64 for uid in made)
    assert made == [Pseudonyms("b", KEY).uid(original) for original in originals]  # one object in two sources is one object
    assert not set(made) & {Pseudonyms("a", OTHER).uid(original) for original in originals}


def test_uid_of_a_public_source_and_a_missing_one_stay():
    assert Pseudonyms("nih", None).uid("1.2.3") == "1.2.3"
    assert Pseudonyms("a", KEY).uid("") == ""


@given(st.dates(min_value=date(1950, 1, 1)), st.integers(0, 4000), st.text(min_size=1, max_size=12))
def test_dates_of_a_patient_are_all_moved_back_by_the_same_days(first, later, patient):
    names = Pseudonyms("a", KEY)
    second = first + timedelta(days=later) if first < date(9900, 1, 1) else first
    moved = [date.fromisoformat(names.date(patient, day.strftime("%Y%m%d").zfill(8))) for day in (first, second)]
    assert moved[1] - moved[0] == second - first
    assert 1 <= (first - moved[0]).days <= 3650


def test_dates_of_two_patients_or_under_two_keys_are_moved_by_other_days():
    names = (Pseudonyms("a", KEY), Pseudonyms("a", OTHER))
    moved = {each.date(f"p{patient}", "20240229") for patient in range(50) for each in names}
    assert len(moved) > 90


@pytest.mark.parametrize("text", ["", "2024", "20241301", "20240230", "2024-02-29", "DOE^JANE", "00010101"])
def test_text_that_is_no_date_leaves_nothing(text):
    assert Pseudonyms("a", KEY).date("p", text) == ""


def test_date_of_a_public_source_stays():
    assert Pseudonyms("nih", None).date("p", "20240229") == "2024-02-29"
