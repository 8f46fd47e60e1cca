"""What every part of a configuration has in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
"""A name that can stand in a path, a pseudonym and a run."""
Fraction = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A part of a configuration: immutable, and refusing what it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())
