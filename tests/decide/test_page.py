from __future__ import annotations

import base64
import re
from xml.etree import ElementTree

from tests.decide.conftest import Wanted

EVIL = "<b>$x^2$</b>"
EASY = {"calibration_error": 1, "gap": 1}
ALL = {
    "Mass": Wanted("better"),
    "Effusion": Wanted("worse", "Pleural effusion"),
    f"Viral {EVIL}": Wanted("near", "Hernia"),
}


def page_of(case):
    return (case.folder / "decision.html").read_text()


def pictures_of(page):
    return [base64.b64decode(code).decode() for code in re.findall(r"data:image/svg\+xml;base64,([^\"]+)", page)]


def row_of(page, label):
    return re.search(rf'<tr><th scope="row">{re.escape(label)}.*?</tr>', page, re.S).group()


def test_the_answer_stands_first(decide):
    page = page_of(decide(ALL, promote=EASY))
    body = page[page.index("<body>") :]
    answer = body.index("May not be promoted: the rule fails on kept labels (Effusion).")
    assert answer < body.index("What fails") < body.index("Kept labels, old against new") < body.index("How to read it")
    assert "May be promoted: no part of the rule fails." in page_of(decide({"Mass": Wanted("better")}, promote=EASY))


def test_the_page_needs_no_network_and_runs_no_script(decide):
    page = page_of(decide(ALL, promote=EASY))
    assert "default-src 'none'" in page
    assert not re.search(r"https?:|<script|<link|@import|url\(", page)


def test_names_are_escaped_and_enter_no_picture(decide):
    page = page_of(decide({**ALL, EVIL: Wanted("equal")}, {"labels": {EVIL: "Hernia"}}, EASY))
    assert "<b>" not in page
    assert "&lt;b&gt;$x^2$&lt;/b&gt;" in row_of(page, "&lt;b&gt;")
    assert len(pictures_of(page)) == 1 + 3 + 1  # the scale, the kept labels, the mean
    for picture in pictures_of(page):
        assert "x^2" not in picture
        ElementTree.fromstring(picture)


def test_each_kept_label_has_its_rule_its_verdict_and_the_margin_in_its_picture(decide):
    page = page_of(decide(ALL, promote=EASY))
    assert '<td class="holds">holds</td>' in row_of(page, "Mass")
    assert '<td class="fails">fails</td>' in row_of(page, "Effusion")
    assert "older: Pleural effusion" in row_of(page, "Effusion")
    assert "dashed: accepted loss 0.05" in page
    _, *strips = pictures_of(page)
    assert all("stroke-dasharray" in strip for strip in strips)


def test_an_open_label_is_called_open_where_that_is_accepted(decide):
    rule = {**EASY, "margin": 0.02, "undecided": "accept"}
    page = page_of(decide({"Mass": Wanted("a little worse")}, promote=rule))
    assert '<td class="open">open</td>' in row_of(page, "Mass")
    assert "Left open, no obstacle" in page
    assert "what is open is accepted" in page


def test_new_and_dropped_labels_are_named_with_their_figures(decide):
    page = page_of(decide(ALL, promote=EASY))
    assert re.search(r"<td>0\.\d{3}</td><td>0\.\d{3} to [01]\.\d{3}</td><td>0\.\d{3}</td><td>50</td>", row_of(page, "Viral"))
    assert "the new one does not: Hernia." in page


def test_without_an_older_model_there_is_no_comparison(decide):
    page = page_of(decide({"Mass": Wanted("better")}, alone=True, promote=EASY))
    assert "There is no older model" in page
    assert "Labels of the new model" in page
    assert not pictures_of(page)


def test_what_was_compared_is_named(decide):
    case = decide(ALL, promote=EASY)
    page = page_of(case)
    for digest in (case.decision.model.weights_sha256, case.decision.older.weights_sha256, case.decision.test_data_sha256):
        assert digest[:12] in page
        assert digest[:13] not in page
    assert "120, with 240 images" in page
    assert "older-run" in page


def test_the_same_decision_gives_the_same_bytes(decide):
    assert page_of(decide(ALL, promote=EASY)) == page_of(decide(ALL, promote=EASY))
