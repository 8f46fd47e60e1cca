"""Runs as a pipeline leaves them in MLflow, made by hand in milliseconds: a decision, and a logged model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from cxr.config_model import ModelConfig
from cxr.config_retrain import PromoteConfig
from cxr.decide.decision import Check, Decision, LabelVerdict, ModelName
from cxr.labels.label_set import Label, LabelSet
from cxr.model.card import KEY, ModelCard, Preprocessing, weights_digest
from cxr.promote.asked import Outcome, Wish
from cxr.promote.candidate import Candidate, read_candidate
from cxr.promote.promote import promote
from cxr.tracking.model import MODEL_ID
from cxr.tracking.registry import Registry
from cxr.tracking.runs import Runs
from cxr.tracking.store import Tracking

LABELS = LabelSet(name="two", labels=(Label(name="Mass"), Label(name="Effusion")))
BAD = Check(part="kept labels", label="Mass", holds=False, sentence="Mass: the loss of 0.120 is above the accepted 0.05")
OPEN = Check(part="kept labels", label="Mass", holds=None, sentence="Mass: left open by 9 patients, which is accepted")
GOOD = Check(part="calibration", label="Mass", holds=True, sentence="Mass: calibration error 0.020, within 0.1")


def model_file(path: Path, seed: int) -> str:
    """Write a model file with weights of their own; give their digest."""
    card = ModelCard(
        cxr_version="0",
        labels=LABELS,
        model=ModelConfig(),
        preprocessing=Preprocessing(size=32, fit="pad", normaliser=3, canonical=2),
        run_id="r",
        data_sha256="d",
        epoch=1,
    )
    save_file({"weight": np.full(4, seed, np.float32)}, path, metadata={KEY: card.model_dump_json()})
    return weights_digest(path)


def verdict(label: str) -> LabelVerdict:
    return LabelVerdict(
        label=label,
        older_label="",
        standing="new",
        sentence=f"{label} is new",
        auroc=0.8,
        older_auroc=None,
        difference=None,
        low=None,
        high=None,
        p=None,
    )


def decision_of(
    weights: str,
    older: str | None = None,
    checks: Sequence[Check] = (GOOD,),
    registry: str = "small",
    rule: PromoteConfig | None = None,
) -> Decision:
    """A decision about weights, against others by their digest."""
    return Decision(
        registry=registry,
        model=ModelName(weights_sha256=weights, run_id="1" * 32, labels="two"),
        older=None if older is None else ModelName(weights_sha256=older, run_id="2" * 32, labels="two"),
        test_data_sha256="e" * 64,
        rule=rule or PromoteConfig(),
        labels=(verdict("Mass"), verdict("Effusion")),
        dropped=(),
        checks=tuple(checks),
        headline="The rule holds" if all(check.holds is not False for check in checks) else "The rule does not hold",
    )


@dataclass
class Lab:
    """A store, and what a pipeline would put there.

    Args:
        tracking: the store.
        folder: for files on their way to it.
    """

    tracking: Tracking
    folder: Path

    @property
    def registry(self) -> Registry:
        return Registry(self.tracking)

    @property
    def runs(self) -> Runs:
        return Runs(self.tracking)

    def log_model(self, run_id: str, seed: int) -> tuple[str, str]:
        """Log a model with weights of their own; give its id and the digest."""
        client, folder = self.tracking.client, self.folder / f"model-{seed}"
        (folder / "artifacts").mkdir(parents=True, exist_ok=True)
        digest = model_file(folder / "artifacts" / "model.safetensors", seed)
        (folder / "MLmodel").write_text("flavors: {}\n")
        logged = client.create_logged_model(self.tracking.experiment_id, "model", run_id)
        client.log_model_artifacts(logged.model_id, str(folder))
        client.finalize_logged_model(logged.model_id, "READY")
        return logged.model_id, digest

    def run(
        self,
        seed: int,
        older: str | None = None,
        checks: Sequence[Check] = (GOOD,),
        name: str = "",
        registry: str = "small",
        rule: PromoteConfig | None = None,
    ) -> str:
        """A finished pipeline's run that proposes weights of their own; give its id."""
        parent = self.tracking.open(name or f"small 2{seed} Nov 10:26")
        stage = self.tracking.open("calibrate", parent=parent.run_id)
        model_id, digest = self.log_model(stage.run_id, seed)
        folder = self.folder / parent.run_id
        folder.mkdir()
        decision_of(digest, older, checks, registry, rule).write(folder)
        parent.artifact(folder / "decision.json")
        parent.tag(MODEL_ID, model_id)
        parent.metrics({"test/auroc_macro": 0.8})
        parent.dataset("manifest-test", "f" * 64, "test", {"images": 1200, "patients": 900})
        for run in (stage, parent):
            run.finish("FINISHED")
        return parent.run_id

    def candidate(self, run_id: str) -> Candidate:
        run = self.runs.run(run_id)
        assert run is not None
        return read_candidate(self.runs, run)

    def promote(self, run_id: str, who: str = "anna", why: str = "it is better") -> Outcome:
        return promote(self.tracking, self.candidate(run_id), Wish("champion", who, why), said)

    def champion(self, name: str = "small") -> int | None:
        model = self.registry.model(name)
        return None if model is None else model.aliases.get("champion")


def weights_of(seed: int, folder: Path) -> str:
    """The digest of the weights that a seed stands for."""
    return model_file(folder / f"weights-{seed}.safetensors", seed)


def said(text: str) -> None:
    """Nobody listens."""
