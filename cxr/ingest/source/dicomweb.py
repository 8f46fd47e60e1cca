"""The files of a PACS over DICOMweb: listed with QIDO-RS, fetched as they are stored with WADO-RS (PS3.18 chapter 10)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email.message import Message
from typing import Any
from urllib.parse import quote

from cxr.errors import ConfigError, DataError
from cxr.ingest.outcome import Refused
from cxr.ingest.source.dicomweb_client import Answer, Request, Server, Transient
from cxr.ingest.source.entry import LARGEST_FILE, Entry

_JSON = ("application/dicom+json", "application/json")
_INSTANCE = (
    'multipart/related; type="application/dicom"; transfer-syntax=*',  # the bytes as stored
    'multipart/related; type="application/dicom"',
)
_ENVELOPE = 2**16  # bytes of a multipart body around its one part
_STUDY, _SERIES, _OBJECT, _MODALITY = "0020000D", "0020000E", "00080018", "00080060"
_FIRST_PATIENCE_S = 15
_LEAST_CAP = 10  # no server caps a page below this: fewer results are all, and most studies have fewer
_PAGING = ("limit", "offset")
_STAMP = "uid"  # what lies under an instance's UID does not change (PS3.5 chapter 9)

_OTHER = (
    "ANN AR AS ASMT AU BDUS BI BMD CD CF CFM CP CS CT CTPROTOCOL DD DF DG DM DMS DOC DS EC ECG EEG EMG EOG EPS ES FA FID FS "
    "GM HC HD IO IOL IVOCT IVUS KER KO LEN LP LS M3D MA MG MR MS NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS PLAN POS PR PT "
    "PX REG RESP RF RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG SM SMR SR SRF ST STAIN "
    "TEXTUREMAP TG US VA VF XA XAPROTOCOL XC"
)
_OTHER_MODALITIES = frozenset(_OTHER.split())
"""Modalities that are no projection radiograph (PS3.3 C.7.3.1.1.1, with the retired ones). Others are fetched and looked at."""

_Row = dict[str, Any]


@dataclass(frozen=True)
class DicomwebFiles:
    """The instances of a PACS; `Entry.name` is "study/series/instance", or a study alone where it cannot be listed.

    Args:
        url: address of the DICOMweb service, without credentials.
        query: filters on studies as QIDO-RS has them, such as ("ModalitiesInStudy", "DX") or ("StudyDate", "20200101-").
        page: results asked for at a time.
        timeout_s: seconds for a connection, and for each wait for bytes.
        patience_s: seconds after which a server that does not answer is given up.
        credentials: name of the environment variable that holds "user:password" (whatever has a colon) or a bearer token.

    Raises:
        ConfigError: the address, the query or a number cannot be used.
    """

    url: str
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # may hold a patient's id
    page: int = 200
    timeout_s: float = 30
    patience_s: float = 300
    credentials: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.page < 1 or any(key.lower() in _PAGING for key, _ in self.query):
            raise ConfigError("PACS: the page must be at least 1, and the query leaves out limit and offset")
        _ = self._server

    @property
    def _server(self) -> Server:
        probe = Request("/studies", _JSON, (("limit", "1"),))
        return Server(self.url, self.timeout_s, self.patience_s, self.credentials, probe)

    def entries(self) -> Iterator[Entry]:
        """Every instance, each once; those of another modality, and studies that cannot be listed, with a code.

        Raises:
            DataError: the studies cannot be listed, or an answer is not as QIDO-RS has it.
            ConfigError: the credentials are not there.
        """
        self._knock()
        for study in self._studies():
            try:
                yield from self._instances(study)
            except Refused as refused:
                yield Entry(study, _STAMP, refused.code, refused.detail)

    def fetch(self, name: str) -> bytes:
        """The bytes of one instance as they are stored, at most `LARGEST_FILE`.

        Raises:
            Refused: "missing", "not-fetched" or "too-large".
            DataError: the PACS does not answer, or refuses the credentials.
            ConfigError: the credentials are not there.
        """
        study, series, instance = name.split("/")
        path = f"/studies/{quote(study)}/series/{quote(series)}/instances/{quote(instance)}"
        content = self._server.get(Request(path, _INSTANCE, largest=LARGEST_FILE + _ENVELOPE), _stored_file)
        if len(content) > LARGEST_FILE:
            raise Refused("too-large", f"{len(content)} bytes")
        return content

    def head(self, name: str, size: int) -> bytes:
        """All of one instance, since WADO-RS has no part of it with its header as stored; raises as `fetch` does."""
        return self.fetch(name)

    def _knock(self) -> None:
        """Find out soon whether anybody answers: a misspelt address should not cost the patience kept for a restart."""
        server = replace(self._server, patience_s=min(self.patience_s, _FIRST_PATIENCE_S))
        try:
            server.get(server.probe, lambda _: None)
        except Refused:  # somebody answers; the listing says what is wrong
            return

    def _studies(self) -> Iterator[str]:
        try:
            # many servers cap a page in silence, so that a short one proves nothing
            for (study,), _ in self._search("/studies", (_STUDY,), self.query, least=0):
                yield study
        except Refused as refused:
            raise DataError(
                f"the PACS at {self.url} does not list studies ({refused.detail}); "
                "compare the address of the DICOMweb service, the filters and the page"
            ) from None

    def _instances(self, study: str) -> Iterator[Entry]:
        """The instances of a study.

        Raises:
            Refused: the PACS does not list them, or there is none.
        """
        path = f"/studies/{quote(study)}"
        wanted = (("includefield", _MODALITY),)
        found = list(self._search(f"{path}/instances", (_SERIES, _OBJECT), wanted, least=_LEAST_CAP))
        if not found:
            raise Refused("missing", "a study without instances")
        modalities: dict[str, str] = {}
        if any(_MODALITY not in row for _, row in found):  # not every server has it at this level
            rows = self._search(f"{path}/series", (_SERIES,), wanted, least=_LEAST_CAP)
            modalities = {series: _modality(row) for (series,), row in rows}
        for (series, instance), row in found:
            modality = _modality(row) or modalities.get(series, "")
            code, detail = ("modality", modality) if modality in _OTHER_MODALITIES else ("", "")
            yield Entry(f"{study}/{series}/{instance}", _STAMP, code, detail)

    def _search(
        self, path: str, keys: tuple[str, ...], query: tuple[tuple[str, str], ...], *, least: int
    ) -> Iterator[tuple[tuple[str, ...], _Row]]:
        """The results of a query with the UIDs that identify them, each once; a page of fewer than `least` is the last.

        Two pages in a row without anything new are the end: the server does not know `offset`. Not one page, as an
        archive that grows meanwhile shifts what was given before to the next page.

        Raises:
            Refused: the query is not answered, or only its first page.
        """
        seen: set[tuple[str, ...]] = set()
        offset = stale = 0
        while stale < 2:
            paging = (("limit", str(self.page)), ("offset", str(offset)))
            rows = self._server.get(Request(path, _JSON, (*query, *paging)), self._rows)
            fresh = {self._uids(row, keys): row for row in rows}
            fresh = {uids: row for uids, row in fresh.items() if uids not in seen}
            yield from fresh.items()
            seen.update(fresh)
            offset += len(rows)
            stale = 0 if fresh else stale + 1
            if not rows or len(rows) < min(least, self.page):
                return
        if len(rows) == self.page:  # there may be more
            raise Refused("not-fetched", f"the same {self.page} results from every offset on: a larger page is needed")

    def _rows(self, answer: Answer) -> list[_Row]:
        """The results in an answer of QIDO-RS: JSON by PS3.18 Annex F, or nothing where nothing is found."""
        try:
            rows = json.loads(bytes(answer.body) or b"[]")
        except (ValueError, RecursionError):
            rows = None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise DataError(f"the PACS at {self.url} does not answer a query with DICOM JSON; is it the DICOMweb service?")
        return rows

    def _uids(self, row: _Row, keys: tuple[str, ...]) -> tuple[str, ...]:
        uids = tuple(_value(row, key) for key in keys)
        # not only what the standard allows: letters are met; dots alone would be another path
        if not all(re.fullmatch("[0-9A-Za-z._-]*[0-9A-Za-z][0-9A-Za-z._-]*", uid) for uid in uids):
            raise DataError(f"the PACS at {self.url} gives a result without a usable UID in {', '.join(keys)}")
        return uids


def _value(row: _Row, tag: str) -> str:
    """The first value of an element of the DICOM JSON model, empty where there is none."""
    element = row.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return str(values[0]).strip(" \0") if isinstance(values, list) and values else ""


def _modality(row: _Row) -> str:
    return _value(row, _MODALITY).upper()


def _stored_file(answer: Answer) -> bytes:
    """The one part of a multipart/related body (RFC 2046 5.1.1), or the body of a server that sends the file bare.

    Raises:
        Transient: the body is cut short.
        Refused: it is something else.
    """
    header = Message()
    header["Content-Type"] = answer.content_type
    if header.get_content_type() == "application/dicom" and answer.bounded:
        return bytes(answer.body)
    boundary = header.get_boundary() if header.get_content_maintype() == "multipart" else None
    if not boundary:
        raise Refused("not-fetched", "the answer is no DICOM file")
    return _only_part(answer.body, b"--" + boundary.encode("latin-1", "replace"))


def _only_part(body: bytearray, delimiter: bytes) -> bytes:
    start = body.find(delimiter)
    head_end = body.find(b"\r\n\r\n", start + len(delimiter))
    end = body.find(b"\r\n" + delimiter, head_end + 2)
    if start < 0 or head_end < 0 or end < 0:
        raise Transient("the answer is cut short")
    after = body[end + 2 + len(delimiter) :][:2]
    if after == b"\r\n":
        raise Refused("not-fetched", "the answer has more than one file")
    if after != b"--":
        raise Transient("the answer is cut short")
    with memoryview(body) as view:
        return bytes(view[head_end + 4 : end])
