from __future__ import annotations

import re
import time
from html.parser import HTMLParser

import numpy as np
import pytest

from cxr.ingest.label_audit.page import write_page
from cxr.ingest.table.rows import Agreement
from cxr.ingest.table.table import TableNotes

LOADING = {"src", "href", "srcset", "data", "action", "poster", "background", "xlink:href"}
HOSTILE = "<script>alert('x')</script>"
SAME = {"pixel_sha256": ["x", "x", "", ""], "perceptual_hash": ["0" * 64, "0" * 64, "", ""]}


class Page(HTMLParser):
    """Tags, what they would load, ids, and the text that is read."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [value for key, value in attrs if key in LOADING]
        self.ids += [value for key, value in attrs if key == "id"]

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def write(tmp_path):
    def make(audit, title="hospital", notes=()):
        path = tmp_path / "labels.html"
        write_page(path, audit, title=title, notes=notes)
        return path.read_text(encoding="utf-8")

    return make


@pytest.fixture
def audit(audit_of, label_set):
    labels = label_set("a", {"name": "b", "parent": "a", "excludes": ["c"]}, {"name": "c", "blank": "negative"})
    notes = TableNotes((12,), {"Sponge": 20, "Ms Doe": 1}, ("Report",), (Agreement("a", 8, 6, -0.5),))
    return audit_of(
        [[0, 1, 1], [1, 1, 4], [2, 4, 4], [3, 3, 3]], labels, notes, ages=1, age_years=[np.nan, np.nan, 9.0, 90.0], **SAME
    )


def test_loads_nothing_from_outside_and_runs_nothing(audit, write):
    text = write(audit)
    page = Page(text)
    assert page.loads
    assert {load[1:] for load in page.loads} <= set(page.ids)  # links within the page alone
    assert all(load.startswith("#") for load in page.loads)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form", "img"} & set(page.tags)
    assert not re.search(r"https?://|@import|url\(", text)
    assert "default-src 'none'" in text


def test_no_id_stands_twice_and_every_tag_is_closed(audit, write):
    page = Page(write(audit))
    assert len(page.ids) == len(set(page.ids))
    text = write(audit)
    for tag in ("table", "section", "div", "tr", "td", "th", "p", "ul", "li", "svg"):
        assert len(re.findall(rf"<{tag}\b", text)) == text.count(f"</{tag}>"), tag


@pytest.mark.parametrize("many", [False, True])
def test_hostile_texts_are_escaped_wherever_they_come_from(audit_of, label_set, make_manifest, write, many):
    more = [f"l{index}" for index in range(50 if many else 0)]
    labels = label_set({"name": HOSTILE, "excludes": [HOSTILE + "2"]}, {"name": HOSTILE + "2", "parent": HOSTILE}, *more)
    notes = TableNotes((), {HOSTILE: 99}, (HOSTILE,), (Agreement(HOSTILE, 3, 3, 1.0),))
    codes = np.ones((12, 2 + len(more)), np.int8)
    codes[0, 0] = 0
    ids = [f"{HOSTILE}{index}" for index in range(12)]
    same = {"image_id": ids, "pixel_sha256": "x", "perceptual_hash": "0" * 64}
    other = make_manifest(1, HOSTILE, pixel_sha256=["x"], perceptual_hash=["0" * 64])
    page = Page(write(audit_of(codes, labels, notes, [other], **same), HOSTILE, [HOSTILE]))
    assert "script" not in page.tags
    assert page.text.count(HOSTILE) > 20


def test_a_title_that_is_no_text_does_not_stop_the_page(audit, write):
    assert "folder \\udcff" in write(audit, title="folder \udcff")


def test_says_in_words_what_was_found(audit, write):
    text = Page(write(audit, notes=["a warning"])).text.replace("\u00a0", " ")
    for wanted in (
        "3 images of 4 have labels, of 4 patients. Of the cells of 3 labels, 33.3 % are positive, 8.3 % negative, 8.3 % "
        "uncertain and 25.0 % blank.",
        "In 1 image a finding is present, but a more general one is absent.",
        "In 1 image two labels are positive that exclude each other.",
        "1 pair of images looks the same but belongs to different patients",
        "a warning",
        "a 1 1 1 0 1",
        "2 contradictions in 1 image.",
        "b a 1 t:0000i",
        "b c 1 t:0000i",
        "a 8 75.0 % 6 −0.50",
        "t:0000i t:0001i different the same pixels –",
        "2 images of this source compared",
        "1 image of which the label table says nothing",
        "1 row of the label table without an image in the table of images: row 12. Rows without a file",
        "1 column not read.",
        "2 entries that are no label: Sponge (20 cells) . 1 entry, in 1 cell, is not quoted",
        "2 images without an age, 1 of them",
    ):
        assert wanted in text, (wanted, text)
    assert "Ms Doe" not in text


def test_no_patient_is_named_not_even_by_a_pseudonym(audit, write):
    text = write(audit)
    assert "0000p" not in text
    assert "0001p" not in text


@pytest.mark.parametrize("codes", [[], [[3, 3]], [[3, 3]] * 9])
def test_without_an_image_or_a_label_there_is_still_a_page(audit_of, label_set, write, codes):
    text = Page(write(audit_of(codes, label_set("a", "b")))).text
    assert ("There is no image" in text) == (not codes)
    assert ("not one has a label" in text) == bool(codes)
    assert "Prevalence" not in text


def test_many_labels_are_told_as_pairs_few_as_a_matrix(audit_of, label_set, write):
    codes = np.ones((12, 41), np.int8)
    assert 'class="heat"' in write(audit_of(codes[:, :40], label_set(*(f"l{index}" for index in range(40)))))
    many = write(audit_of(codes, label_set(*(f"l{index}" for index in range(41)))))
    assert 'class="heat"' not in many
    assert "overlap most" in many


def test_same_audit_same_bytes(audit, write):
    assert write(audit) == write(audit)


def test_a_long_list_is_cut_and_says_where_it_is_whole(audit_of, label_set, write):
    count = 120
    same = {"pixel_sha256": "x", "perceptual_hash": "0" * 64}
    text = Page(write(audit_of(np.ones((count, 1), np.int8), label_set("a"), **same))).text
    assert "The first 50 of 119; duplicates.csv has all." in text
    assert text.count("the same pixels") == 50


def test_two_hundred_labels_make_a_page_in_two_seconds(audit_of, label_set, write):
    labels = label_set(*({"name": f"l{index}", "parent": f"l{index // 3}" if index > 2 else None} for index in range(190)))
    audit = audit_of(np.random.default_rng(0).choice([0, 1, 2, 4], (2000, 190)), labels)
    seconds = []
    for _ in range(3):  # the least of them: whatever else the machine does only adds
        start = time.process_time()
        text = write(audit)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 2
    assert len(text) < 1_000_000
