"""Names of files inside archives inside folders: one string that leads to exactly one file, whatever the parts are called.

"a.zip!/b.zip!/x.dcm" is x.dcm in b.zip in a.zip. A part that itself ends in "!", as the folder "odd!", has its marks doubled
("odd!!/x.dcm"), so that an odd number of them before a "/" always means an archive.
"""

from __future__ import annotations

import re

_MARKS = re.compile(r"(?<!!)(!+)(?=/|\Z)")
_ARCHIVE = re.compile(r"(?<!!)(?:!!)*!/")


def escape(path: str) -> str:
    """A path inside one folder or archive, as it stands in a name."""
    return _MARKS.sub(r"\1\1", path) if "!" in path else path


def unescape(part: str) -> str:
    """The path that `escape` was given."""
    return _MARKS.sub(lambda found: found[1][: len(found[1]) // 2], part) if "!" in part else part


def join(*parts: str) -> str:
    """The name of a file from its escaped parts: the path of the outermost archive, of the next inside it, of the file."""
    return "!/".join(parts)


def split(name: str) -> list[str]:
    """The escaped parts that `join` was given."""
    parts, start = [], 0
    for found in _ARCHIVE.finditer(name):
        parts.append(name[start : found.end() - 2])
        start = found.end()
    return [*parts, name[start:]]
