"""The comparison of two tables on the same images: better, worse, or no difference shown."""

from __future__ import annotations

import math
from collections.abc import Iterator

from cxr.compare.align import Pair, pair
from cxr.compare.outputs import TABLES, write_tables
from cxr.compare.page import render_page
from cxr.compare.terminal import terminal_rows
from cxr.compare.wording import headline, level_text, names_of, warnings
from cxr.config import CompareStage
from cxr.config_evaluate import EvaluateConfig
from cxr.errors import ConfigError
from cxr.evaluate.paired import Comparison, compare, fewest_resamples
from cxr.evaluate.undefined import as_float
from cxr.external.read import read_tables
from cxr.external.sides import divide
from cxr.labels.label_set import read_label_set
from cxr.stage import StageContext, StageResult

WRITES = (*TABLES, "comparison.html")
"""What a run leaves behind; anything else in its folder is not its own."""
_WITHOUT_EFFECT = ("intervals", "subgroups", "prevalence")
"""Keys of `evaluate` that a comparison has no use for."""


def run(config: CompareStage, context: StageContext) -> StageResult:
    """Write `WRITES`: a row per label, the whole, and a page for people.

    Raises:
        DataError: a table cannot be read, or see `cxr.compare.align.pair`.
        ConfigError: the label set or the layout cannot be read.
    """
    context.progress(0, 3, "reading the tables")
    sides = _pair(config)
    settings, names = config.evaluate, names_of(config.a, config.b)
    resamples = max(settings.resamples, fewest_resamples(len(sides.cells.label_names), settings.confidence))
    context.progress(1, 3, f"resampling {sides.images} images")
    found = compare(sides.cells, sides.other, resamples, settings.confidence, config.seed)
    context.progress(2, 3, "writing")
    remarks = (*_remarks(config, resamples), *warnings(sides))
    write_tables(found, sides, names, settings.unit, context.folder, remarks)
    page = render_page(found, sides, names, settings.unit, remarks)
    (context.folder / "comparison.html").write_text(page, encoding="utf-8")
    context.run.metrics(_figures(found))
    for name in WRITES:
        context.run.artifact(context.folder / name)
    context.progress(3, 3, "done")
    counts = {"images": sides.images, "patients": sides.cells.patient_count, "labels": len(found.rows)}
    return StageResult(counts, headline(found), table=_terminal(found, sides), warnings=remarks)


def check(config: CompareStage) -> None:
    """Refuse tables that cannot be compared, before the result of the last run is cleared.

    Raises:
        DataError, ConfigError: as `run` raises them; or a key is set that a comparison has no use for.
    """
    usual = EvaluateConfig()
    idle = [name for name in _WITHOUT_EFFECT if getattr(config.evaluate, name) != getattr(usual, name)]
    if idle:
        raise ConfigError(f"evaluate.{idle[0]}: without effect in a comparison; leave it out")
    _pair(config)


def _pair(config: CompareStage) -> Pair:
    a, b = (read_tables(path, config).predictions for path in (config.a, config.b))
    return pair(a, b, read_label_set(config.labels), config.evaluate)


def _remarks(config: CompareStage, resamples: int) -> Iterator[str]:
    """What was left out when the tables were read, said of each of them; and more resamples than were asked for."""
    told: dict[str, list[str]] = {}
    for side, path in (("A", config.a), ("B", config.b)):
        table = read_tables(path, config)
        for text in (*table.warnings, *divide(table.predictions).remarks):
            told.setdefault(text, []).append(side)
    yield from (f"{' and '.join(sides)}: {text}" for text, sides in told.items())
    if resamples > config.evaluate.resamples:
        yield f"{resamples:,} resamples were drawn: with fewer, none of so many labels could be told to differ."


def _figures(found: Comparison) -> dict[str, float]:
    figures = {f"difference/auroc/{row.label}": as_float(row.auroc.difference) for row in found.rows}
    figures["difference/auroc_macro"] = as_float(found.macro.auroc.difference)
    return {name: value for name, value in figures.items() if not math.isnan(value)}


def _terminal(found: Comparison, sides: Pair) -> tuple[tuple[str, ...], ...]:
    header = ("label", "AUROC of A", "of B", "difference", level_text(found), "p (Holm)", "A is")
    return (header, *terminal_rows(found, sides))
