"""Names as MLflow takes them: ASCII, a label always one piece between slashes, and never two labels under one name.

MLflow takes letters, digits and _-. :/ of ASCII, and its charts group by everything before the last slash.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping

_NOT_IN_NAMES = re.compile(r"[^\w\-. :/]", re.ASCII)
_NOT_IN_PIECES = re.compile(r"[^\w\-.]+", re.ASCII)  # a colon is refused where the server runs on Windows
_NOT_IN_PARAMS = re.compile(r"[^\w\-. ]", re.ASCII)
_LONGEST = 60
"""Of a label's piece; a whole name may have 250 characters."""
_LONGEST_PARAM = 250
_SHORT = 8
"""Digits of a hash that is to be read; where even these are not enough, all of them are taken."""
_WITHOUT_PARTS = str.maketrans({"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"})
"""Letters of European languages that Unicode does not take apart."""


def metric_name(name: str) -> str:
    """A name that MLflow takes: letters, digits and _-. :/ of ASCII; anything else becomes _."""
    return _NOT_IN_NAMES.sub("_", name)


def label_keys(labels: Iterable[str]) -> dict[str, str]:
    """For each label the piece that stands for it in names, as readable as can be: "Nodule/Mass" becomes "Nodule Mass".

    Letters lose their accents; what has no letter or digit left is called by a hash of its name, and so are, behind what is
    left, labels that would else have one piece, with capitals or without. No two labels get the same, and the order of the
    labels does not matter.
    """
    return _told_apart({label: _readable(label) for label in labels})


def param_keys(names: Iterable[str]) -> dict[str, str]:
    """For each name of a parameter the one that it has in MLflow: without slashes, told apart as the keys of labels are."""
    return _told_apart({name: _NOT_IN_PARAMS.sub("_", name)[:_LONGEST_PARAM] for name in names})


def metric_key(name: str, labels: Mapping[str, str]) -> str:
    """The name of a metric in MLflow.

    Args:
        name: like GROUP/LABEL; a label may have slashes of its own.
        labels: see `label_keys`.
    """
    parts = name.split("/")
    for start in range(1, len(parts)):  # the longest label first
        label = "/".join(parts[start:])
        if label in labels:
            return "/".join([*map(metric_name, parts[:start]), labels[label]])
    return metric_name(name)


def renamed_table(labels: Mapping[str, str]) -> str:
    """CSV of the labels that have another name in MLflow, with both names; empty where there is none.

    Args:
        labels: see `label_keys`.
    """
    renamed = [(key, label) for label, key in labels.items() if key != label]
    if not renamed:
        return ""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("name_in_mlflow", "label"), *renamed])
    return text.getvalue()


def _told_apart(readable: Mapping[str, str]) -> dict[str, str]:
    """What is readable of each name where that is something, and of no other name; else with a hash of the name behind it."""
    keys = dict(readable)
    for digits in (_SHORT, None):
        taken = Counter(key.casefold() for key in keys.values())
        for name, key in keys.items():
            if not key or taken[key.casefold()] > 1:
                keys[name] = f"{readable[name][: _LONGEST - _SHORT - 1] or 'label'} {_hash(name)[:digits]}"
    return keys


def _readable(label: str) -> str:
    """What ASCII can show of a label, without slashes; empty where that is no letter and no digit."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", label.translate(_WITHOUT_PARTS)) if not unicodedata.combining(c))
    piece = _NOT_IN_PIECES.sub(" ", plain)[:_LONGEST].strip(". ")
    return piece if re.search(r"[A-Za-z0-9]", piece) else ""


def _hash(label: str) -> str:
    return hashlib.sha256(label.encode()).hexdigest()
