"""The typed configuration of a pipeline: its sections, and what of them each stage may see.

`cxr.definition` reads it from a file and a command line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from cxr.config_evaluate import CalibrateConfig, Combine, EvaluateConfig, Unit
from cxr.config_model import ModelConfig
from cxr.config_paths import AnyPath, ExistingFile, ExistingFolder, LabelSetFile, SecretFile, TableFormatFile
from cxr.config_retrain import CarryConfig, PromoteConfig, RetrainConfig
from cxr.config_sources import ConfidentialSource, DicomSource, ImagesSource, OfficialFiles, PhantomSource, Source
from cxr.config_training import StackedTraining, TrainConfig
from cxr.section import NAME, Section


class IngestConfig(Section):
    """How source images become canonical ones."""

    size: int = Field(224, ge=32, le=2048, description="side of the square canonical image, in pixels")
    fit: Literal["pad", "crop"] = Field("pad", description="keep the aspect by padding with black or by a centre crop")
    bits: Literal[8, 16] = Field(8, description="bits of a grey value in the image store; training uses the upper 8")
    secondary_capture: bool = Field(False, description="take Secondary Captures that are not said to be CR or DX, too")
    keep_quarantined: bool = Field(False, description="keep a copy of each quarantined file, with all it holds of the patient")
    shard_files: int = Field(128, ge=1, le=4096, description="source files per shard of the image store")
    workers: int = Field(2, ge=0, description="processes that read and decode; 0: the main process, without limits")
    file_seconds: float = Field(60, gt=0, description="longest time that one file may take")
    file_megabytes: int = Field(1024, ge=64, description="most memory that one file may take, beyond the reader's own")
    compare_with: tuple[ExistingFolder, ...] = Field(
        (), description="results of other ingests, in which the same pictures are looked for"
    )
    scheduler: str | None = Field(
        None, pattern=r"^(tcp|tls|ucx)://", description="address of a Dask scheduler to read on, instead of this machine"
    )


class SplitConfig(Section):
    """How patients are divided; a published list, where the source names one, fixes the test set."""

    val_fraction: float = Field(0.15, gt=0, lt=0.5, description="share of the images for validation, by patient")
    test_fraction: float = Field(0.2, gt=0, lt=0.5, description="share for test, by patient; not with official lists or folds")
    folds: int | None = Field(None, ge=3, description="number of folds of a cross-validation; split.fold is the test set")
    fold: int = Field(0, ge=0, description="which of the folds is the test set, from 0")
    frozen: ExistingFile | None = Field(None, description="split.csv of an earlier run, to be used again")
    new_patients: Literal["refuse", "train", "draw"] = Field(
        "refuse", description="what becomes of patients that the frozen split does not have"
    )

    alike: Literal["refuse", "allow"] = Field(
        "refuse",
        description="pictures of two patients that look the same, on two sides of published lists or of a frozen split",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.folds is not None and self.fold >= self.folds:
            raise ValueError(f"'fold' is {self.fold}, but the folds are numbered 0 to {self.folds - 1}")
        if self.folds is not None and self.frozen is not None:
            raise ValueError("'folds' and 'frozen' exclude each other: a frozen split has its test set")
        if self.folds is None and self.fold:
            raise ValueError("'fold' is without effect where 'folds' does not say how many there are")
        if self.frozen is None and self.new_patients != "refuse":
            raise ValueError("'new_patients' is without effect where there is no 'frozen' split")
        return self

    @property
    def shares(self) -> dict[str, float]:
        """Shares of the images for the sides of a split that is drawn."""
        train = 1 - self.val_fraction - self.test_fraction
        return {"train": train, "val": self.val_fraction, "test": self.test_fraction}


class CascadeConfig(Section):
    """Two widths of a stacked backbone: the narrow one first, the wide one where the narrow one is unsure."""

    heads: tuple[int, int] = Field(description="numbers of attention heads, the narrow network's and the wide one's")
    tolerance: float = Field(
        0.002, ge=0, le=1, description="loss of mean validation AUROC beside the wide network that is accepted"
    )

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if not 0 < self.heads[0] < self.heads[1]:
            raise ValueError("'heads' must be two whole numbers from 1, the smaller one first")
        return self


class PredictConfig(Section):
    """With which widths of a stacked backbone images are scored; another backbone has no choice."""

    heads: int | None = Field(None, description="number of attention heads, one of model.stacked.heads; absent: the widest")
    cascade: CascadeConfig | None = Field(None, description="two widths, the wide one for uncertain studies alone")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.heads is not None and self.cascade is not None:
            raise ValueError("'heads' and 'cascade' exclude each other: images are scored by one width, or by two in turn")
        return self

    @property
    def named_heads(self) -> tuple[int, ...]:
        """The numbers of attention heads that are asked for by name."""
        if self.cascade is not None:
            return self.cascade.heads
        return () if self.heads is None else (self.heads,)


class PipelineConfig(Section):
    """A whole pipeline definition."""

    name: str = Field(pattern=NAME, description="name of the pipeline and its experiment")
    description: str = Field("", description="a sentence or two, shown in MLflow and in the report")
    workspace: AnyPath = Field(description="folder for stage outputs and, unless MLFLOW_TRACKING_URI is set, MLflow's")
    labels: LabelSetFile = Field(description="label set: a shipped name or a YAML file")
    seed: int = Field(0, ge=0, description="the one seed behind split, initial weights, batches, augmentation")
    source: Source
    ingest: IngestConfig = IngestConfig()
    split: SplitConfig = SplitConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    predict: PredictConfig = PredictConfig()
    calibrate: CalibrateConfig = CalibrateConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    retrain: RetrainConfig | None = Field(None, description="the older model, where there is one")
    promote: PromoteConfig = PromoteConfig()

    @model_validator(mode="after")
    def _workspace_apart(self) -> PipelineConfig:
        if isinstance(self.source, DicomSource | ImagesSource) and self.workspace.is_relative_to(self.source.root):
            raise ValueError("'workspace' lies in source.root: ingest would read what it has written; choose another folder")
        frozen = self.split.frozen
        if frozen is not None and frozen.is_relative_to(self.workspace / self.name / "split"):
            raise ValueError(
                "'split.frozen' lies in the folder of this pipeline's own split, which is cleared; copy it elsewhere"
            )
        lists = isinstance(self.source, ImagesSource) and self.source.official is not None
        if lists and (self.split.folds is not None or self.split.frozen is not None):
            raise ValueError("'source.official' fixes the test set; 'split.folds' and 'split.frozen' would be without effect")
        if self.workspace / self.name / "ingest" in self.ingest.compare_with:
            raise ValueError("'ingest.compare_with' names this pipeline's own ingest")
        if len(set(self.ingest.compare_with)) < len(self.ingest.compare_with):
            raise ValueError("'ingest.compare_with' names a folder twice")
        if isinstance(self.source, ConfidentialSource) and self.source.key_file.is_relative_to(self.workspace):
            raise ValueError(f"'{self.source.key_file.name}' lies in workspace; the key must not be kept with the data")
        return self

    @model_validator(mode="after")
    def _stacked_together(self) -> PipelineConfig:
        stacked, training = self.model.stacked, self.train.stacked
        starts = self.model.weights is not None or self.model.hub is not None
        carried = self.retrain is not None and self.retrain.weights == "carried"
        if starts and carried:
            raise ValueError("'model.weights' and 'model.hub' would be overwritten by 'retrain.model'; leave them out")
        if self.train.freeze_epochs and not starts and not carried:
            raise ValueError(
                "'train.freeze_epochs' would freeze random weights; give 'model.weights' or 'model.hub' to start from"
            )
        if stacked is None and training != StackedTraining():
            raise ValueError("'train.stacked' is without effect where there is no 'model.stacked'")
        if stacked is not None and training.weights is not None and len(training.weights) != len(stacked.heads):
            raise ValueError(
                f"'train.stacked.weights' has {len(training.weights)} values, 'model.stacked.heads' {len(stacked.heads)}"
            )
        return self

    @model_validator(mode="after")
    def _one_level(self) -> PipelineConfig:
        if self.evaluate.confidence != self.promote.confidence:
            raise ValueError(
                f"'evaluate.confidence' is {self.evaluate.confidence:g}, 'promote.confidence' {self.promote.confidence:g}: "
                "the rule for promotion goes by the intervals of the evaluation; give both the same"
            )
        return self

    @model_validator(mode="after")
    def _one_split(self) -> PipelineConfig:
        if self.retrain is None:
            return self
        folder = self.workspace / self.name
        for key, path in (("model", self.retrain.model), ("split", self.retrain.split)):
            if path is not None and path.is_relative_to(folder):
                raise ValueError(f"'retrain.{key}' lies in this pipeline's own folder, which is cleared; give it another name")
        if self.retrain.split is not None and (self.split.folds is not None or self.split.frozen is not None):
            raise ValueError(
                "'retrain.split' fixes the test patients; 'split.folds' and 'split.frozen' would be without effect"
            )
        return self

    @model_validator(mode="after")
    def _predict_trained_widths(self) -> PipelineConfig:
        stacked, asked = self.model.stacked, self.predict.named_heads
        key = "predict.heads" if self.predict.cascade is None else "predict.cascade.heads"
        if asked and stacked is None:
            raise ValueError(f"'{key}' is without effect where there is no 'model.stacked'")
        trained = () if stacked is None else stacked.heads
        missing = sorted(set(asked) - set(trained))
        if missing:
            raise ValueError(f"'{key}' names {missing[0]}, but 'model.stacked.heads' has {', '.join(map(str, trained))}")
        return self


class PhantomStage(Section):
    """What the phantom stage may see; its fingerprint covers exactly this."""

    seed: int
    source: PhantomSource


class IngestStage(Section):
    """What the ingest stage may see."""

    name: str
    labels: LabelSetFile | None
    source: Source
    ingest: IngestConfig = IngestConfig()


class LabelsStage(Section):
    """What the import of a label table without its images may see."""

    name: str = Field(pattern=NAME)
    labels: LabelSetFile
    table: ExistingFile
    image_table: ExistingFile | None = None
    format: TableFormatFile
    published: bool = False
    key_file: SecretFile | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.published == (self.key_file is not None):
            raise ValueError("a table of your own may name patients: --key FILE; --published is for public sets, without a key")
        return self


class TruthSource(Section):
    """Where the truth of a table of scores is, and what the columns are about."""

    truth: ExistingFile | None = None
    image_table: ExistingFile | None = None
    labels: LabelSetFile
    format: TableFormatFile | None = None
    id_column: str | None = None


class TablesStage(TruthSource):
    """What the evaluation of tables without a pipeline may see."""

    predictions: ExistingFile
    title: str = ""
    seed: int = Field(0, ge=0)
    calibrate: CalibrateConfig = CalibrateConfig()
    evaluate: EvaluateConfig = EvaluateConfig()


class CompareStage(TruthSource):
    """What the comparison of two tables may see."""

    a: ExistingFile
    b: ExistingFile
    seed: int = Field(0, ge=0)
    evaluate: EvaluateConfig = EvaluateConfig()


class SplitStage(Section):
    """What the split stage may see: of the source only its published lists."""

    seed: int
    official: OfficialFiles | None
    split: SplitConfig
    older: ExistingFile | None = None
    other_patients: bool = False


class TrainStage(Section):
    """What the train stage may see; of a retraining what is carried over."""

    seed: int
    labels: Path
    size: int
    fit: Literal["pad", "crop"] = "pad"
    model: ModelConfig
    train: TrainConfig
    retrain: CarryConfig | None = None


class DecideStage(Section):
    """What the decide stage may see."""

    seed: int
    labels: Path
    size: int
    fit: Literal["pad", "crop"]
    batch_size: int
    device: Literal["auto", "cpu", "cuda"]
    registry: str
    evaluate: EvaluateConfig
    retrain: RetrainConfig | None
    promote: PromoteConfig


class PredictStage(Section):
    """What the predict stage may see."""

    batch_size: int
    device: Literal["auto", "cpu", "cuda"]
    predict: PredictConfig = PredictConfig()


class CalibrateStage(Section):
    """What the calibrate stage may see."""

    labels: Path
    unit: Unit
    combine: Combine
    calibrate: CalibrateConfig


class EvaluateStage(Section):
    """What the evaluate stage may see."""

    name: str
    description: str
    seed: int
    labels: Path
    evaluate: EvaluateConfig
