"""What pages about two models have in common: one style, every text escaped, no network and no script."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

import jinja2


def render(package: str, template: str, values: Mapping[str, object]) -> str:
    """A page, as HTML.

    Args:
        package: in whose folder the template lies.
        template: its file.
        values: what the template names; `style`, which it marks as safe, is there already.
    """
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    style = (files("cxr.compare") / "style.css.j2").read_text(encoding="utf-8")
    page = environment.from_string((files(package) / template).read_text(encoding="utf-8"))
    return page.render(style=style, **values)
