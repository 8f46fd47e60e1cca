"""What the taken images are: for each property its bars or its histogram, from the manifest alone."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from cxr.ingest.audit.figures import histogram_svg, whole_edges
from cxr.ingest.audit.tally import Bar, Tally, bars, merged, tally, tally_decisions
from cxr.manifest import SEXES, VIEWS, Manifest
from cxr.svg import data_uri

_WINDOW = re.compile(r"window (\d+) of (\d+): (\S+) / (\S+) (.+)")
_SIZES = 8  # bars of the commonest sizes
_AGE_EDGES = np.arange(0.0, 96, 5)  # the last class holds the pooled ages of 90 and above
_AGE_TICKS = [(0.0, "0"), (20.0, "20"), (40.0, "40"), (60.0, "60"), (80.0, "80"), (92.5, "≥ 90")]
_DECISIONS = (
    ("bits", "Stored bits", ""),
    ("syntax", "Transfer syntax", "How the pixels were encoded."),
    ("modality", "Modality step", "From stored values to those that the window is given in."),
    ("polarity", "Polarity", "Inverted once where low values mean white, so that high attenuation is bright."),
    ("orientation", "Orientation", ""),
)


@dataclass(frozen=True)
class Panel:
    """One property of the images.

    Args:
        title: what it is.
        note: a sentence or none.
        bars: a tally; may be empty.
        picture: data URI of a histogram, or empty.
        words: what the histogram shows, for who cannot see it.
    """

    title: str
    note: str = ""
    bars: tuple[Bar, ...] = ()
    picture: str = ""
    words: str = ""


def pixel_panels(manifest: Manifest) -> list[Panel]:
    """Size, bits, window and the like.

    Raises:
        DataError: the decisions of an image are not a JSON object.
    """
    frame = manifest.frame
    decisions = tally_decisions(frame["decisions"], len(frame))
    voi = decisions.get("voi", Counter({"": len(frame)}))
    return [
        _sizes(frame),
        Panel("Window or look-up table", "The first that the header names is applied.", bars(merged(voi, _voi_kind))),
        _widths(voi),
        *(Panel(title, note, bars(decisions[key])) for key, title, note in _DECISIONS if key in decisions),
    ]


def context_panels(manifest: Manifest) -> list[Panel]:
    """Device, view and patients."""
    frame = manifest.frame
    panels = [
        Panel(
            "Manufacturer", 'From a list of makers; any other text of a header is "other".', bars(tally(frame["manufacturer"]))
        ),
        Panel("View", "", bars(tally(frame["view"]), order=VIEWS.index)),
        Panel("Sex", "Of the patient, once for each image.", bars(tally(frame["sex"]), order=SEXES.index)),
        _ages(frame["age_years"].to_numpy(np.float64)),
    ]
    return [*panels, _years(frame["study_date"])] if "study_date" in frame else panels


def _sizes(frame: pd.DataFrame) -> Panel:
    height, width = frame["height"].to_numpy(np.int64), frame["width"].to_numpy(np.int64)
    note = "Height × width of the source image in pixels, and its longer side."
    if not len(frame):
        return Panel("Size", note)
    longer = np.maximum(height, width).astype(np.float64)
    low, middle, high = np.percentile(longer, [0, 50, 100])
    summary = f"{low:,.0f} to {high:,.0f}, median {middle:,.0f}"
    picture = data_uri(histogram_svg(longer, whole_edges(longer), "longer side, pixels"))
    words = f"Histogram of the longer side: {summary}"
    return Panel("Size", f"{note} Longer side: {summary}.", bars(_size_tally(height, width), _SIZES), picture, words)


def _size_tally(height: npt.NDArray[np.int64], width: npt.NDArray[np.int64]) -> Tally:
    # one number for each pair, since sorting pairs of a million images takes seconds
    pairs, counted = np.unique(height << 32 | width, return_counts=True)
    names = [f"{pair >> 32:,} × {pair & 0xFFFFFFFF:,}" for pair in pairs.tolist()]
    return dict(zip(names, counted.tolist(), strict=True))


def _voi_kind(text: str) -> str:
    if not text:
        return "not recorded"
    if match := _WINDOW.fullmatch(text):
        return f"window {match[1]} of {match[2]}, {match[5]}"
    return "whole range of the stored bits; window unusable" if text.startswith("whole range") and ";" in text else text


def _widths(voi: Tally) -> Panel:
    classes = merged(voi, _width_class)
    if not classes:
        return Panel("Window width", "No window was applied.")
    shown = bars(classes, order=lambda name: float(name.split()[-1].replace(",", "")))
    return Panel("Window width", "In classes of powers of two; a share is of the images shown through a window.", shown)


def _width_class(text: str) -> str:
    """The class of a window's width, like "1,024 to < 2,048"; empty where the text tells of no window."""
    match = _WINDOW.fullmatch(text)
    if match is None:
        return ""
    try:
        width = float(match[4])
    except ValueError:
        return ""
    if not 0 < width < math.inf:
        return ""
    if width < 1:
        return "below 1"
    low = 1 << (math.frexp(width)[1] - 1)
    return f"{low:,} to < {2 * low:,}"


def _ages(ages: npt.NDArray[np.float64]) -> Panel:
    known = ages[~np.isnan(ages)]
    note = f"In years, by image; 90 and above are pooled. Not known for {len(ages) - len(known):,} of {len(ages):,} images."
    if not len(known):
        return Panel("Age", note)
    words = f"Histogram of ages in classes of five years; median {np.median(known):.0f}"
    picture = histogram_svg(known, _AGE_EDGES, "age, years", _AGE_TICKS)
    return Panel("Age", f"{note} Median {np.median(known):.0f}.", (), data_uri(picture), words)


def _years(dates: pd.Series[str]) -> Panel:
    counted = merged(tally(dates), lambda text: text[:4] if re.match(r"\d{4}-", text) else "")
    years = np.array(sorted(map(int, counted)), np.float64)
    total = sum(counted.values())
    note = "Dates are shifted, each patient's by an amount of its own."
    note = f"{note} No date for {len(dates) - total:,} of {len(dates):,} images."
    if not total:
        return Panel("Study year", note)
    values = np.repeat(years, [counted[f"{year:04.0f}"] for year in years])
    words = f"Histogram of study years from {years[0]:.0f} to {years[-1]:.0f}"
    picture = histogram_svg(values, whole_edges(values), "year of the study, shifted", thousands=False)
    return Panel("Study year", note, (), data_uri(picture), words)
