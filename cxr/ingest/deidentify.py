"""Pseudonyms: what leaves ingest carries no name, no id and no exact date.

Of a header only what `cxr.ingest.read` names leaves at all. Identifiers leave as HMAC-SHA256 under a key that the user
keeps elsewhere, with a sub-key for each kind of identifier, so that equal texts of two kinds get unlike pseudonyms.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from cxr.errors import ConfigError, CxrError

_KEY_BYTES = 32
Kind = Literal["patient", "study", "file", "instance", "key", "uid", "date", "stamp"]
_LONGEST_SHIFT = 3650
"""Days: long enough to hide season and year, short enough to keep the decade of the equipment."""


@dataclass(frozen=True, repr=False)
class Pseudonyms:
    """Names for the patients, studies and files of one source.

    Args:
        source: name of the source; every pseudonym starts with it, so that two sources cannot collide.
        key: the secret, or None for a public, de-identified source whose own names are kept.
    """

    source: str
    key: bytes | None

    def name(self, kind: Kind, identifier: str) -> str:
        """The pseudonym of an identifier of one kind: 80 bits as hexadecimal, or the identifier itself if public."""
        if self.key is None:
            return f"{self.source}:{identifier}"
        return f"{self.source}:{self._digest(kind, identifier).hex()[:20]}"

    def uid(self, original: str) -> str:
        """A DICOM UID in the place of another, of the form 2.25 (PS3.5 B.2) from 128 keyed bits; of a public source its own."""
        if self.key is None or not original:
            return original
        return f"2.25.{int.from_bytes(self._digest('uid', original)[:16], 'big')}"

    def date(self, patient: str, date: str) -> str:
        """A date, moved back by as many days as all dates of the patient: 1 to 3,650 by the key.

        Args:
            patient: PatientID as the header has it.
            date: YYYYMMDD.

        Returns:
            ISO 8601, or "" where the text is no date.
        """
        try:
            day = datetime.strptime(date, "%Y%m%d").date()
        except ValueError:
            return ""
        if self.key is not None:
            days = 1 + int.from_bytes(self._digest("date", patient)[:8], "big") % _LONGEST_SHIFT
            if day.toordinal() <= days:
                return ""
            day -= timedelta(days=days)
        return day.isoformat()

    def _digest(self, kind: Kind, identifier: str) -> bytes:
        """256 keyed bits of an identifier; equal texts of two kinds give unlike bits."""
        assert self.key is not None
        subkey = hmac.digest(self.key, f"cxr {kind}".encode(), "sha256")
        return hmac.digest(subkey, identifier.encode(errors="surrogateescape"), "sha256")

    def file(self, path: str) -> str:
        """How a file is called in tables and messages: its path inside a public source, else a pseudonym."""
        return path if self.key is None else self.name("file", path)


def read_key(path: Path) -> bytes:
    """Read a key that `make_key` wrote.

    Raises:
        ConfigError: the file does not hold a key.
    """
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read as a pseudonym key; make one with `cxr key FILE`") from error
    if len(key) != _KEY_BYTES:
        raise ConfigError(f"{path}: a pseudonym key has {2 * _KEY_BYTES} hexadecimal digits")
    return key


def make_key(path: Path) -> None:
    """Write a new random key of 256 bits, readable by its owner alone.

    Raises:
        CxrError: the file exists (a lost key cannot be made again), or cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise CxrError(f"{path}: exists already; a key is never overwritten, since pseudonyms depend on it") from error
    except OSError as error:
        raise CxrError(f"{path}: {error.strerror}") from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(_KEY_BYTES) + "\n")


def key_check_value(key: bytes) -> str:
    """Tells whether two runs used one key, without telling the key."""
    return hmac.digest(key, b"cxr key check value", hashlib.sha256).hex()[:16]


def pooled_age(text: str | None) -> tuple[float, bool]:
    """Age in years, with ages over 89 pooled at 90, and whether the text is implausible.

    Args:
        text: an Age String ("045Y", "006M", "010D") or a plain number of years.

    Returns:
        Years, 0 to 90, or NaN where not known or implausible; True where the text gives an age outside 0 to 120.
    """
    text = (text or "").strip().upper()
    unit = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}.get(text[-1:], 0.0)
    number = text[:-1] if unit else text
    try:
        years = float(number) * (unit or 1.0)
    except ValueError:
        return float("nan"), False
    if math.isnan(years):
        return years, False
    if not 0 <= years <= 120:
        return float("nan"), True
    return (90.0 if years >= 90 else float(int(years))), False
