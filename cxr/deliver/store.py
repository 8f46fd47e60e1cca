"""A PACS that takes objects by C-STORE (PS3.4 annex B): over an association, with a status for each object."""

from __future__ import annotations

import logging
import random
import re
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from pydicom import uid
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.association import Association

from cxr.deliver.receipt import Receipt, failure_text
from cxr.errors import ConfigError, DataError

_SYNTAXES = [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian]
_CLASSES = (uid.ComprehensiveSRStorage, uid.SecondaryCaptureImageStorage)
_STORED = (0x0000, 0xB000, 0xB006, 0xB007)
"""Success, and the warnings with which the object is stored all the same (PS3.4 table B.2-1)."""
_LATER = range(0xA700, 0xA800)  # out of resources
_TITLE = "[!-\\[\\]-~]{1,16}"
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0


class _Again(Exception):  # noqa: N818 (no error of the program: it is sent again)
    """Another attempt may do better; the text names no patient."""


@dataclass(frozen=True)
class StoreDestination:
    """A storage service.

    Args:
        title: its application entity title.
        host, port: where it listens.
        own_title: how it knows this sender.
        timeout_s: seconds for each wait for an answer.
        patience_s: seconds after which a service that does not answer is given up.

    Raises:
        ConfigError: a title or the port cannot be.
    """

    title: str
    host: str
    port: int
    own_title: str = "CXR"
    timeout_s: float = 60
    patience_s: float = 120

    def __post_init__(self) -> None:
        if not all(re.fullmatch(_TITLE, title) for title in (self.title, self.own_title)) or not 0 < self.port < 65536:
            raise ConfigError("PACS: a title has 1 to 16 letters, digits or signs, and a port is a number from 1 to 65535")

    @classmethod
    def at(cls, address: str, own_title: str) -> Self:
        """From an address like dicom://PACS@pacs.example.org:104.

        Raises:
            ConfigError: it is not like that.
        """
        parts = re.fullmatch(rf"dicom://({_TITLE})@([^@/:\s]+|\[[0-9A-Fa-f:.]+\]):(\d{{1,5}})/?", address)
        if parts is None:
            raise ConfigError("PACS: the address must be as in dicom://TITLE@pacs.example.org:104")
        return cls(parts[1], parts[2].strip("[]"), int(parts[3]), own_title)

    def send(self, objects: Sequence[Dataset]) -> tuple[Receipt, ...]:
        """See `cxr.deliver.receipt.Destination`. What has a final status is not sent again when the rest is."""
        receipts: dict[str, Receipt] = {}
        begun, pause = time.monotonic(), _FIRST_PAUSE_S
        while True:
            try:
                with self._association() as association:
                    for each in objects:
                        if each.SOPInstanceUID not in receipts:
                            receipts[str(each.SOPInstanceUID)] = _store(association, each)
                return tuple(receipts[str(each.SOPInstanceUID)] for each in objects)
            except _Again as failure:
                if time.monotonic() - begun >= self.patience_s:
                    raise DataError(
                        f"the PACS {self._name} takes nothing since {self.patience_s:.0f} s ({failure}); "
                        "what it acknowledged is there, and the same command sends the rest"
                    ) from None
            time.sleep(min(pause, self.patience_s) * random.SystemRandom().uniform(0.5, 1.0))
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    @property
    def _name(self) -> str:
        return f"{self.title} at {self.host}:{self.port}"

    @contextmanager
    def _association(self) -> Iterator[Association]:
        # its lines quote what is sent
        logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
        entity = AE(self.own_title)
        for name in ("connection_timeout", "acse_timeout", "dimse_timeout", "network_timeout"):
            setattr(entity, name, self.timeout_s)
        for each in _CLASSES:
            entity.add_requested_context(each, _SYNTAXES)
        association = entity.associate(self.host, self.port, ae_title=self.title)
        try:
            if not association.is_established:
                raise self._refusal(association)
            yield association
        finally:
            if association.is_established:
                association.release()

    def _refusal(self, association: Association) -> Exception:
        if not association.is_rejected:
            return _Again("no association; it does not answer, or cut the connection")
        answer = association.acceptor.primitive
        if answer is not None and answer.result == 2:  # rejected for now (PS3.8, 9.3.4)
            return _Again("the association is rejected for now")
        return DataError(
            f"the PACS {self._name} rejects this sender; it must know the titles {self.title} (its own) and {self.own_title}"
        )


def _store(association: Association, item: Dataset) -> Receipt:
    """Send one object.

    Raises:
        _Again: there was no answer, or the service is out of resources.
    """
    name = str(item.SOPInstanceUID)
    if not association.is_established:
        raise _Again("the association was cut")
    if not any(context.abstract_syntax == item.SOPClassUID for context in association.accepted_contexts):
        return Receipt(name, failure_text(0x0122))
    with warnings.catch_warnings(action="ignore"):  # of odd values of the source, which they quote
        status = association.send_c_store(item)
    if "Status" not in status:
        raise _Again("no answer to an object")
    if status.Status in _LATER:
        raise _Again(failure_text(status.Status))
    return Receipt(name, "" if status.Status in _STORED else failure_text(status.Status))
