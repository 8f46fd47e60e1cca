from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cxr.ingest.source.name import escape, join, split, unescape

paths = st.text("a!/.z", max_size=8)


def test_a_folder_that_is_called_like_an_archive_is_told_from_one() -> None:
    assert split(escape("a.zip!/x")) == ["a.zip!!/x"]
    assert split(join(escape("a.zip"), escape("x"))) == ["a.zip", "x"]


@given(st.lists(paths, min_size=1, max_size=4))
def test_whatever_the_parts_are_called_the_name_leads_back_to_them(parts: list[str]) -> None:
    name = join(*(escape(part) for part in parts))
    assert [unescape(part) for part in split(name)] == parts
