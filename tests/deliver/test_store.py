"""C-STORE against a storage service of pynetdicom on loopback."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from io import BytesIO
from typing import Any

import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from cxr.deliver.encode import encode
from cxr.deliver.store import StoreDestination
from cxr.errors import ConfigError, DataError
from tests.serve.models import chest


class Pacs:
    """A storage service: gives the statuses in turn, success when they are used up, and keeps what it stored."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.stored: list[Dataset] = []
        self.asked = 0
        self.silence_s = 0.0
        self.entity = AE("PACS")
        self.entity.require_calling_aet = ["CXR"]
        self.classes(uid.ComprehensiveSRStorage, uid.SecondaryCaptureImageStorage)

    def classes(self, *names: str, syntax: str = uid.ExplicitVRLittleEndian) -> None:
        self.entity.supported_contexts = []
        for name in names:
            self.entity.add_supported_context(name, syntax)

    @cached_property
    def server(self) -> Any:
        """Started with the classes as they are then."""
        return self.entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)])

    @property
    def address(self) -> str:
        return f"dicom://PACS@127.0.0.1:{self.server.server_address[1]}"

    def _store(self, event: Any) -> int:
        self.asked += 1
        time.sleep(self.silence_s)
        status = self.statuses.pop(0) if self.statuses else 0
        if status == -1:
            event.assoc.abort()
            return 0
        if status in (0, 0xB000):
            dataset = event.dataset
            dataset.file_meta = event.file_meta
            self.stored.append(dataset)
        return status


@pytest.fixture
def pacs() -> Iterator[Pacs]:
    service = Pacs()
    yield service
    service.server.shutdown()


@pytest.fixture
def objects(deliver: Callable[..., Any]) -> list[Dataset]:
    return list(deliver([chest(0)], maps=["positive"]).objects)


def test_every_object_arrives_as_it_was_made(pacs, objects):
    receipts = StoreDestination.at(pacs.address, "CXR").send(objects)
    assert [(receipt.uid, receipt.problem) for receipt in receipts] == [(each.SOPInstanceUID, "") for each in objects]
    for stored, each in zip(pacs.stored, objects, strict=True):
        assert pydicom.dcmread(BytesIO(encode(stored))) == pydicom.dcmread(BytesIO(encode(each)))


def test_a_service_that_takes_implicit_representations_only_is_given_them(pacs, objects):
    pacs.classes(uid.ComprehensiveSRStorage, uid.SecondaryCaptureImageStorage, syntax=uid.ImplicitVRLittleEndian)
    assert not any(receipt.problem for receipt in StoreDestination.at(pacs.address, "CXR").send(objects))
    assert [stored.SOPInstanceUID for stored in pacs.stored] == [each.SOPInstanceUID for each in objects]


def test_a_failure_is_a_problem_and_a_warning_is_stored(pacs, objects):
    pacs.statuses = [0xC001, 0xB000]
    problems = [receipt.problem for receipt in StoreDestination.at(pacs.address, "CXR").send(objects)]
    assert problems[0] == "it cannot understand the object (status 0xc001)"
    assert not any(problems[1:])
    assert len(pacs.stored) == len(objects) - 1


def test_what_is_out_of_resources_or_cut_is_sent_again_and_what_was_stored_is_not(pacs, objects):
    pacs.statuses = [0, 0xA700, -1]
    assert not any(receipt.problem for receipt in StoreDestination.at(pacs.address, "CXR").send(objects))
    assert sorted(stored.SOPInstanceUID for stored in pacs.stored) == sorted(each.SOPInstanceUID for each in objects)
    assert pacs.asked == len(objects) + 2


def test_a_kind_that_the_service_does_not_take_is_a_problem_of_that_object_alone(pacs, objects):
    pacs.classes(uid.SecondaryCaptureImageStorage)
    problems = [receipt.problem for receipt in StoreDestination.at(pacs.address, "CXR").send(objects)]
    assert problems[-1] == "it does not take objects of this kind (status 0x0122)"
    assert not any(problems[:-1])


def test_a_sender_that_is_not_known_is_told_which_titles_count(pacs, objects):
    with pytest.raises(DataError, match=r"rejects this sender; it must know the titles PACS .* and STRANGER"):
        StoreDestination.at(pacs.address, "STRANGER").send(objects)


def test_a_service_under_another_title_is_told_which_titles_count(pacs, objects):
    pacs.entity.require_called_aet = True
    address = pacs.address.replace("PACS@", "ARCHIVE@")
    with pytest.raises(DataError, match=r"rejects this sender; it must know the titles ARCHIVE .* and CXR"):
        StoreDestination.at(address, "CXR").send(objects)
    assert pacs.stored == []


def test_a_service_that_stops_half_way_is_told_and_is_sent_the_rest_the_next_time(pacs, objects):
    pacs.statuses = [0, *[-1] * 9]
    with pytest.raises(DataError, match=r"takes nothing since 1 s .*; what it acknowledged is there"):
        replace(StoreDestination.at(pacs.address, "CXR"), patience_s=1).send(objects)
    assert [stored.SOPInstanceUID for stored in pacs.stored] == [objects[0].SOPInstanceUID]
    pacs.statuses = []
    assert not any(receipt.problem for receipt in StoreDestination.at(pacs.address, "CXR").send(objects))
    assert {stored.SOPInstanceUID for stored in pacs.stored} == {each.SOPInstanceUID for each in objects}


def test_a_service_that_falls_silent_is_given_up_in_time(pacs, objects):
    pacs.silence_s = 3
    begun = time.monotonic()
    with pytest.raises(DataError, match="takes nothing since 0 s"):
        replace(StoreDestination.at(pacs.address, "CXR"), timeout_s=0.5, patience_s=0).send(objects)
    assert time.monotonic() - begun < 3


def test_patience_with_a_service_that_is_not_there_ends(objects):
    with pytest.raises(DataError, match="takes nothing since 0 s"):
        StoreDestination("PACS", "127.0.0.1", 9, patience_s=0).send(objects)


@pytest.mark.parametrize(
    "address",
    ["dicom://host:104", "dicom://PACS@host", "dicom://PACS@host:0", "dicom://PACS@host:99999", "dicom://" + "P" * 17 + "@h:1"],
)
def test_an_address_that_cannot_be_is_refused(address):
    with pytest.raises(ConfigError, match="PACS: "):
        StoreDestination.at(address, "CXR")
