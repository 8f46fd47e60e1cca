from __future__ import annotations

from pathlib import Path

import pytest

from cxr.errors import CxrError
from cxr.tracking.registry import Registry, Source
from cxr.tracking.store import Tracking

RUN = "1" * 32
SOURCE = Source(f"runs:/{RUN}", RUN)


@pytest.fixture
def registry(workspace: Path) -> Registry:
    return Registry(Tracking(workspace, "small"))


def test_unknown_name_and_unknown_version_are_none(registry):
    assert registry.model("small") is None
    registry.make_model("small")
    assert registry.version("small", 1) is None
    assert registry.versions("small") == ()


def test_name_that_exists_is_left_as_it_is(registry):
    registry.make_model("small", "first")
    registry.tag("small", "owner", "Königshof")
    registry.make_model("small", "second")
    found = registry.model("small")
    assert (found.description, found.tags) == ("first", {"owner": "Königshof"})


def test_versions_are_counted_up_and_come_first_one_first(registry):
    registry.make_model("small")
    made = [registry.make_version("small", SOURCE, {"k": str(index)}, "text").number for index in range(11)]
    assert made == list(range(1, 12))
    assert [version.number for version in registry.versions("small")] == made
    assert (registry.version("small", 11).tags, registry.version("small", 11).run_id) == ({"k": "10"}, RUN)


def test_number_of_a_deleted_version_is_not_given_again(registry):
    registry.make_model("small")
    for _ in range(2):
        number = registry.make_version("small", SOURCE, {}).number
        registry.delete_version("small", number)
        registry.delete_version("small", number)  # gone already
    assert registry.versions("small") == ()
    assert registry.make_version("small", SOURCE, {}).number == 3


def test_deleted_model_takes_its_versions_along(registry):
    registry.make_model("small")
    registry.make_version("small", SOURCE, {})
    registry.delete_model("small")
    registry.delete_model("small")  # gone already
    assert registry.versions("small") == ()
    registry.make_model("small")
    assert registry.make_version("small", SOURCE, {}).number == 1


def test_alias_moves_between_versions(registry):
    registry.make_model("small")
    for number in (1, 2):
        registry.make_version("small", SOURCE, {})
        registry.point("small", "champion", number)
        assert registry.model("small").aliases == {"champion": number}


def test_pages_can_be_written_again(registry):
    registry.make_model("small")
    registry.make_version("small", SOURCE, {})
    for text in ("one", "zwei\nZeilen"):
        registry.describe("small", text)
        registry.describe_version("small", 1, text)
        registry.tag_version("small", 1, "note", text)
        assert registry.model("small").description == text
        assert (registry.version("small", 1).description, registry.version("small", 1).tags["note"]) == (text, text)


def test_all_names_are_found_page_by_page(registry):
    names = [f"model-{number:03d}" for number in range(105)]  # MLflow gives 100 at a time
    for name in names:
        registry.make_model(name)
    assert sorted(model.name for model in registry.models()) == names


def test_what_mlflow_refuses_is_one_line(registry):
    with pytest.raises(CxrError, match=r"MLflow at sqlite.*not found"):
        registry.tag("nobody", "k", "v")
