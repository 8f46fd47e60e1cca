from __future__ import annotations

import json
import re
import time
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from cxr.ingest.audit.counts import count
from cxr.ingest.audit.page import count_text, percent_text, write_page
from cxr.ingest.outcome import CODES
from cxr.manifest import Manifest

LOADING = {"src", "href", "srcset", "data", "action", "poster", "background", "xlink:href"}
HOSTILE = "<script>alert('x')</script>"


class Page(HTMLParser):
    """Tags, what they would load, and the text that is read."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [value for key, value in attrs if key in LOADING]

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def write(tmp_path):
    def make(ingest, sheet=True, title="hospital", notes=()):
        counts = count(ingest.files, ingest.manifest)
        path = tmp_path / "audit.html"
        write_page(path, counts, ingest.files, ingest.manifest, ingest.store, title=title, notes=notes, sheet=sheet)
        return path.read_text(encoding="utf-8")

    return make


def test_loads_nothing_from_outside_and_runs_nothing(ingest, write):
    text = write(ingest([(), ("inverted",), ("empty",)], rows=1, labels=("Mass",)))
    page = Page(text)
    assert page.loads
    assert all(load.startswith(("data:image/svg+xml;base64,", "data:image/jpeg;base64,")) for load in page.loads)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    assert not re.search(r"https?://|@import|url\(", text)


def test_hostile_texts_are_escaped_wherever_they_come_from(ingest, write):
    made = ingest([()] * 2, manufacturer=[HOSTILE, '"><img src=x onerror=y>'], decisions=json.dumps({"voi": HOSTILE}))
    frame = made.manifest.frame.rename(columns=str)
    frame[HOSTILE] = pd.Categorical(["0", "1"], ["0", "1", "uncertain", "unknown"])
    made = type(made)(made.files, Manifest(frame, (HOSTILE,)), made.store)
    page = Page(write(made, title=HOSTILE, notes=[HOSTILE]))
    assert "script" not in page.tags
    assert all(load.startswith("data:") for load in page.loads)
    assert page.text.count(HOSTILE) >= 5


def test_a_title_that_is_no_text_does_not_stop_the_page(ingest, write):
    assert "folder \\udcff" in write(ingest([()]), title="folder \udcff")


def test_says_in_words_what_was_seen_and_that_it_adds_up(ingest, write):
    made = ingest(
        [()] * 1200 + [("inverted",)] * 3 + [("low-contrast",)] + [("empty",)] * 2 + [("modality",), ("duplicate",)], rows=2
    )
    text = Page(write(made, notes=["2 files were quarantined"])).text
    for wanted in (
        "Of 1,208 files seen, 1,204 were taken : 1,200 as they are, 3 corrected, 1 flagged. "
        "4 were not: 2 quarantined, 1 skipped, 1 duplicate.",
        "seen = taken + quarantined + skipped + duplicates: 1,208 = 1,204 + 2 + 1 + 1;",
        "1,204 images of 602 studies of 402 patients. 2 rows of the label table have no file.",
        "2 files were quarantined",
        f"empty quarantined {CODES['empty'][1]} 2 0.2 % files 1205, 1206",
        f"row-without-file skipped {CODES['row-without-file'][1]} 2 – table rows 2, 3",
        "cxr file",
    ):
        assert wanted in text, wanted


def test_one_file_is_told_in_the_singular(ingest, write):
    text = Page(write(ingest([()], rows=1))).text
    assert "Of 1 file seen, 1 was taken : 1 as it is, 0 corrected, 0 flagged. 0 were not" in text
    assert "1 image of 1 study of 1 patient. 1 row of the label table has no file." in text


def test_thumbnails_only_where_they_are_asked_for(ingest, write):
    made = ingest([(), ("rotated",)])
    assert write(made, sheet=True).count("data:image/jpeg") == 2
    without = write(made, sheet=False)
    assert "data:image/jpeg" not in without
    assert "This copy of the page has no thumbnails" in without


def test_no_pseudonym_of_image_or_patient_is_on_the_page(ingest, write):
    made = ingest([(), ("empty",)], patient_id="source:0123456789abcdef0123", study_id="source:89abcdef")
    text = write(made)
    assert "0123456789abcdef0123" not in text
    assert "89abcdef" not in text
    assert "image-1" not in text


@pytest.mark.parametrize("codes", [[], [("empty",), ("modality",)]])
def test_an_ingest_without_any_image_has_a_page(ingest, write, codes):
    text = Page(write(ingest(codes, labels=("Mass",)))).text
    assert f"Of {len(codes)} files seen, 0 were taken" in text
    assert "No image was taken." in text
    assert "Prevalence" not in text


@pytest.mark.parametrize("labels", [(), ("Mass",)])
def test_prevalence_is_told_where_there_are_labels(ingest, write, labels):
    assert ("Prevalence" in write(ingest([()], labels=labels))) == bool(labels)


def test_files_that_all_are_plain_have_no_reasons(ingest, write):
    assert "No file has a code" in write(ingest([()] * 3))


def test_same_ingest_same_bytes(ingest, write):
    made = ingest([(), ("inverted",), ("empty",)], labels=("Mass",))
    assert write(made) == write(made)


def test_twenty_thousand_files_take_less_than_two_seconds(ingest, write):
    rng = np.random.default_rng(0)
    kinds = [(), ("inverted",), ("padding", "rotated"), ("view-unknown",), ("empty",), ("modality",), ("duplicate",)]
    codes = [kinds[index] for index in rng.choice(len(kinds), 20_000, p=[0.7, 0.1, 0.05, 0.05, 0.05, 0.03, 0.02])]
    made = ingest(codes, rows=100, labels=("Mass", "Edema"), size=8)
    frame = made.manifest.frame
    texts = [json.dumps({"voi": f"window 1 of 1: {width} / {width} LINEAR"}) for width in rng.integers(1, 10**6, len(frame))]
    frame["decisions"] = texts  # each its own: the slowest case
    frame["manufacturer"] = rng.integers(0, 10**6, len(frame)).astype(str)
    start = time.process_time()
    text = write(made)
    assert time.process_time() - start < 2
    assert len(text) < 1_000_000


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.125, "12.5 %"),
        (1e-6, "< 0.1 %"),
        (1 - 1e-6, "> 99.9 %"),
        (0.9994, "> 99.9 %"),
        (float("nan"), "–"),
    ],
)
def test_no_share_is_written_as_none_or_all_that_is_not(share, text):
    assert percent_text(share) == text


def test_counts_are_written_with_their_thing():
    assert [count_text(1, "study"), count_text(2500, "study"), count_text(0, "file")] == ["1 study", "2,500 studies", "0 files"]
