"""The report of an evaluation: one page for people, and the pictures and sentences it is made of."""

from cxr.evaluate.report.page import render_report

__all__ = ["render_report"]
