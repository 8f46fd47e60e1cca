"""The one frame of encapsulated pixel data, PS3.5 A.4: an offset table and then fragments, each an item with its length."""

from __future__ import annotations

import struct

from cxr.ingest.outcome import Refused
from cxr.ingest.read.structure import Data

_ITEM, _DELIMITER = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)


def single_frame(data: Data, *, one_fragment: bool) -> Data:
    """The frame of an image that has one.

    Args:
        data: the value of Pixel Data, with or without the closing delimiter.
        one_fragment: whether the transfer syntax has a fragment for each frame (RLE); else fragments are joined.

    Raises:
        Refused: the items are malformed, there is no fragment, or there are frames beyond the first.
    """
    offsets, *fragments = _items(data)
    if len(offsets) > 4:
        raise Refused("multi-frame", f"{len(offsets) // 4} frames in the offset table")
    fragments = [fragment for fragment in fragments if fragment]
    if not fragments:
        raise Refused("decode-failed", "no fragment of pixel data")
    if one_fragment and len(fragments) > 1:
        raise Refused("multi-frame", f"{len(fragments)} RLE frames")
    return fragments[0] if len(fragments) == 1 else b"".join(fragments)


def _items(data: Data) -> list[Data]:
    """The values of the items, the offset table's first."""
    items: list[Data] = []
    position = 0
    while position < len(data):
        if position + 8 > len(data):
            raise Refused("decode-failed", "pixel data end inside an item's tag")
        group, element, length = struct.unpack_from("<HHI", data, position)
        position += 8
        if (group, element) == _DELIMITER and length == 0:
            break
        if (group, element) != _ITEM or length > len(data) - position:
            raise Refused("decode-failed", "pixel data are not a row of items, each as long as it says")
        items.append(data[position : position + length])
        position += length
    if bytes(data[position:]).strip(b"\0") or not items or len(items[0]) % 4:
        raise Refused("decode-failed", "no whole offset table, or bytes behind the last item")
    return items
