"""The stages there are, in their order: what each may see of the configuration, and what it takes from earlier ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cxr.config import (
    CalibrateStage,
    DecideStage,
    EvaluateStage,
    IngestStage,
    PhantomStage,
    PipelineConfig,
    PredictStage,
    SplitStage,
    TrainStage,
)
from cxr.config_sources import ImagesSource, PhantomSource
from cxr.section import Section


@dataclass(frozen=True)
class Stage:
    """A stage of every pipeline that has a use for it.

    Args:
        name: of its command and its folder.
        view: what it may see of the configuration; None where the pipeline does not have the stage.
        inputs: outputs of earlier stages, by the name under which the stage knows them: (stage, path in its folder).
    """

    name: str
    view: Callable[[PipelineConfig], Section | None]
    inputs: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def module(self) -> str:
        """The module whose `run` does the work."""
        return f"cxr.{self.name}.stage"


def _phantom_view(config: PipelineConfig) -> PhantomStage | None:
    return PhantomStage(seed=config.seed, source=config.source) if isinstance(config.source, PhantomSource) else None


def _split_view(config: PipelineConfig) -> SplitStage:
    source = config.source
    official = source.official_files if isinstance(source, ImagesSource) else None
    retrain = {} if config.retrain is None else {"older": config.retrain.split, "other_patients": config.retrain.other_patients}
    return SplitStage(seed=config.seed, official=official, split=config.split, **retrain)


def _train_view(config: PipelineConfig) -> TrainStage:
    return TrainStage(
        seed=config.seed,
        labels=config.labels,
        size=config.ingest.size,
        fit=config.ingest.fit,
        model=config.model,
        train=config.train,
        retrain=config.retrain.carry if config.retrain is not None else None,
    )


def _calibrate_view(config: PipelineConfig) -> CalibrateStage:
    unit, combine = config.evaluate.unit, config.evaluate.combine  # thresholds hold for what they were chosen on
    return CalibrateStage(labels=config.labels, unit=unit, combine=combine, calibrate=config.calibrate)


def _evaluate_view(config: PipelineConfig) -> EvaluateStage:
    return EvaluateStage(
        name=config.name,
        description=config.description,
        seed=config.seed,
        labels=config.labels,
        evaluate=config.evaluate,
    )


def _decide_view(config: PipelineConfig) -> DecideStage:
    return DecideStage(
        seed=config.seed,
        labels=config.labels,
        size=config.ingest.size,
        fit=config.ingest.fit,
        batch_size=config.train.batch_size,
        device=config.train.device,
        registry=config.promote.model or config.name,
        evaluate=config.evaluate,
        retrain=config.retrain,
        promote=config.promote,
    )


STAGES: tuple[Stage, ...] = (
    Stage("phantom", _phantom_view),
    Stage(
        "ingest",
        lambda c: IngestStage(name=c.name, labels=c.labels, source=c.source, ingest=c.ingest),
        {"phantom": ("phantom", "dicom")},
    ),
    Stage("split", _split_view, {"manifest": ("ingest", "manifest.parquet")}),
    Stage(
        "train",  # it has no handle on the test images
        _train_view,
        {"development": ("split", "development.parquet"), "store": ("ingest", "store")},
    ),
    Stage(
        "predict",
        lambda c: PredictStage(batch_size=c.train.batch_size, device=c.train.device, predict=c.predict),
        {
            "development": ("split", "development.parquet"),
            "test": ("split", "test.parquet"),
            "split": ("split", "split.csv"),
            "store": ("ingest", "store"),
            "model": ("train", "model.safetensors"),
        },
    ),
    Stage(
        "calibrate",
        _calibrate_view,
        {"predictions": ("predict", "predictions.parquet"), "model": ("train", "model.safetensors")},
    ),
    Stage(
        "evaluate",
        _evaluate_view,
        {"predictions": ("predict", "predictions.parquet"), "calibration": ("calibrate", "calibration.json")},
    ),
    Stage(
        "decide",
        _decide_view,
        {
            "predictions": ("predict", "predictions.parquet"),
            "test": ("split", "test.parquet"),
            "store": ("ingest", "store"),
            "model": ("calibrate", "model.safetensors"),
            "metrics": ("evaluate", "metrics.csv"),
            "gaps": ("evaluate", "gaps.csv"),
        },
    ),
)


def stages_of(config: PipelineConfig) -> tuple[Stage, ...]:
    """The stages of a configured pipeline, in order."""
    return tuple(stage for stage in STAGES if stage.view(config) is not None)
