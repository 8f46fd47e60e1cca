"""The run of a pipeline as a whole: what of its stages' figures, files, data and model its page shows.

A stage that was done before, and is used again, is shown as one that has just run: a reader of the page does not have to look
for the rest of the answer on another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import yaml
from pydantic import BaseModel

from cxr.config import PipelineConfig
from cxr.labels.label_set import read_label_set
from cxr.note import answers, pipeline_note
from cxr.record import StageRecord
from cxr.tracking.run import Run

CONFIGURATION = "configuration.yaml"
_REUSED = "reused."
"""Begins the tag that names, for a stage that was done before, the run that did it."""


class ParentPage:
    """The page of a pipeline's run.

    Args:
        run: the pipeline's.
        folder: of the pipeline, with a folder for each stage.
    """

    def __init__(self, run: Run, folder: Path) -> None:
        self.run, self._folder = run, folder
        self._present: dict[str, bool] = {}  # of logged models, by their id

    @cached_property
    def _reused(self) -> dict[str, str]:
        """The tags of stages that were done before, set by this command or by one that this run was begun by."""
        return {name: value for name, value in self.run.tags().items() if name.startswith(_REUSED)}

    def configure(self, config: PipelineConfig, values: Mapping[str, object], files: Mapping[str, str]) -> None:
        """Tell the configuration: as parameters, what its user has set before what was left as it is, and as a file.

        Args:
            config: the configuration.
            values, files: as `cxr.fingerprint.config_digests` gives them.
        """
        chosen = set(_chosen(config))
        ordered = sorted(values, key=lambda key: key not in chosen)  # what is equal stays in order
        label_set = {"label_set": read_label_set(config.labels).name}
        self.run.params(label_set | {key: values[key] for key in ordered})
        whole = {**_nested(values), "digests of files": dict(files)}
        self.run.text(CONFIGURATION, yaml.safe_dump(whole, sort_keys=False, allow_unicode=True))

    def show(self, record: StageRecord, earlier: Sequence[StageRecord]) -> None:
        """Show what a stage has found.

        Args:
            record: of the stage.
            earlier: of the stages before it, one of which may have made the model that its figures are of.
        """
        self.run.metrics(record.metrics, model_id=self._model_of([*earlier, record]))
        for name in record.highlights:
            self.run.artifact(self._folder / record.stage / name)

    def show_reused(self, records: Sequence[StageRecord]) -> None:
        """Show those that another run has done, once.

        Args:
            records: of the first stages of the pipeline, in order.
        """
        for place, record in enumerate(records):
            tag = _REUSED + record.stage
            if record.parent_run_id == self.run.run_id or self._reused.get(tag) == record.run_id:
                continue
            if self.run.tracking.has(record.run_id):
                self.run.share_datasets(record.run_id)
            if model_id := self._model_of([record]):
                self.run.link_model(model_id)
            self.show(record, records[:place])
            self.run.tag(tag, record.run_id)
            self._reused[tag] = record.run_id

    def describe(self, description: str, records: Sequence[StageRecord]) -> None:
        """Write the text that the page begins with, and its answers on the page of the model.

        Args:
            description: of the pipeline.
            records: of the stages that are done, in order.
        """
        self.run.note(pipeline_note(description, records))
        if model_id := self._model_of(records):
            self.run.tracking.describe_model(model_id, answers(records))

    def renew(self, stage: str) -> None:
        """A stage is about to run again: what was shown of an earlier run of it is no longer said to be its result."""
        if self._reused.pop(_REUSED + stage, None) is not None:
            self.run.drop_tag(_REUSED + stage)

    def _model_of(self, records: Sequence[StageRecord]) -> str:
        """The logged model that one of some stages has made; empty where none has, or where it is in another store."""
        made = next((record.model_id for record in records if record.model_id), "")
        if made and made not in self._present:
            self._present[made] = self.run.tracking.has_model(made)
        return made if made and self._present[made] else ""


def _chosen(config: BaseModel, prefix: str = "") -> Iterator[str]:
    """The dotted keys that the user of a configuration has set."""
    for name in config.model_fields_set:
        value = getattr(config, name)
        if isinstance(value, BaseModel):
            yield from _chosen(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def _nested(values: Mapping[str, object]) -> dict[str, object]:
    """A mapping by dotted keys, taken apart at the dots."""
    whole: dict[str, object] = {}
    for key, value in values.items():
        *sections, last = key.split(".")
        inner = whole
        for section in sections:
            inner = inner.setdefault(section, {})  # type: ignore[assignment]
        inner[last] = value
    return whole
