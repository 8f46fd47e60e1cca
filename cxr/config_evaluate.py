"""The section of a configuration that says how scores are judged; see `cxr.config`."""

from __future__ import annotations

from pydantic import Field

from cxr.section import Section


class EvaluateConfig(Section):
    """Intervals."""

    resamples: int = Field(1000, ge=100, description="bootstrap resamples of the patients")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="level of the intervals")
