"""The input example of a served model: a small DICOM file of a drawn chest, of nobody."""

from __future__ import annotations

from io import BytesIO

from pydicom import uid

from cxr.config_sources import PhantomSource
from cxr.phantom.dicom import build_dicom
from cxr.phantom.encoding import Encoding
from cxr.phantom.plan import plan_cohort
from cxr.phantom.render import render

_SOURCE = PhantomSource(kind="phantom", patients=10, images_per_patient=1, matrix=128)
_ENCODING = Encoding(uid.JPEGBaseline8Bit, "DX", "MONOCHROME2", 8, None)


def example_dicom() -> bytes:
    """A phantom's frontal radiograph as a DICOM file of a few kilobytes, always the same."""
    planned = plan_cohort(_SOURCE, seed=0).good[0]
    drawn = render(planned.anatomy, planned.pose, planned.severities, planned.shape, planned.seed)
    content = BytesIO()
    build_dicom(drawn.picture, planned.examination, _ENCODING).save_as(content, enforce_file_format=True)
    return content.getvalue()
