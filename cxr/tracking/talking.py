"""What MLflow raises, in one line that a user can act on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from cxr.errors import CxrError


@contextmanager
def talking(uri: str) -> Iterator[None]:
    """Turn what MLflow raises into one line.

    Raises:
        CxrError: MLflow raised something.
    """
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise CxrError(_without_password(f"MLflow at {uri}: {str(error).splitlines()[0]}")) from error


def _without_password(text: str) -> str:
    return re.sub(r"//[^/@\s]*@", "//", text)
