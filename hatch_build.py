"""Ship data_manifests/ inside the wheel, and only there: an editable installation reads it where it lies."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class DataManifestsHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the shipped label sets to a built wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before the build; `version` is "editable" or "standard"."""
        if version == "standard":
            build_data["force_include"]["data_manifests"] = "cxr/data_manifests"
