from __future__ import annotations

import base64

import matplotlib as mpl

from cxr.svg import data_uri, draw_svg


def test_same_drawing_same_bytes_without_a_date():
    pictures = [draw_svg((2, 1), lambda figure: figure.subplots().plot((0, 1), (0, 1))) for _ in range(2)]
    assert pictures[0] == pictures[1]
    assert "dc:date" not in pictures[0]


def test_drawing_leaves_the_settings_of_the_user_alone():
    before = dict(mpl.rcParams)
    draw_svg((2, 1), lambda figure: None)
    assert dict(mpl.rcParams) == before


def test_a_picture_comes_back_from_its_address():
    head, _, body = data_uri("<svg>é</svg>").partition(",")
    assert head == "data:image/svg+xml;base64"
    assert base64.b64decode(body).decode() == "<svg>é</svg>"
