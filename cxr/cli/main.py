"""The command's entry: what a user can act on is told in a line, and ends with exit code 2."""

from __future__ import annotations

import sys

import click

import cxr.cli.bundle
import cxr.cli.deliver
import cxr.cli.evaluate
import cxr.cli.export
import cxr.cli.ingest
import cxr.cli.labels
import cxr.cli.localise
import cxr.cli.pipeline
import cxr.cli.predict
import cxr.cli.promote
import cxr.cli.retrain  # noqa: F401 (commands register where they are defined)
from cxr.cli.group import cli
from cxr.errors import CxrError


def main() -> None:
    """Run the command; what a user can act on is told in a line, and ends with exit code 2."""
    try:
        code = cli.main(standalone_mode=False)
    except (KeyboardInterrupt, click.exceptions.Abort):  # click turns the one into the other
        click.echo("\nstopped; the same command goes on from here", err=True)
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except CxrError as error:
        click.echo(f"error: {error}", err=True)
        code = 2
    sys.exit(code if isinstance(code, int) else 0)
