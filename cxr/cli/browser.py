"""Showing MLflow's pages: a server on this machine while they are looked at, and a browser once it answers."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
import webbrowser
from collections.abc import Sequence

import click


def has_display() -> bool:
    """Whether a browser that is opened here would be seen: by its display, or where BROWSER names one."""
    return sys.platform in ("darwin", "win32") or any(os.environ.get(key) for key in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def show(address: str) -> None:
    """Open an address in the user's browser, and say so where there is none."""
    if not webbrowser.open(address):
        click.echo("No browser could be opened; open the address in one yourself.")


def serve(arguments: Sequence[str], port: int, address: str | None) -> None:
    """Run MLflow's server on this machine until it ends or Ctrl-C.

    Args:
        arguments: of `mlflow server`, but the host and port.
        port: on which it listens.
        address: what to open in a browser once it answers; None: nothing.
    """
    # without these the server starts helpers that a look at runs has no use for, and takes 3 GB
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    place = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    server = subprocess.Popen([sys.executable, "-m", "mlflow", "server", *arguments, *place], env=environment)
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    try:
        if _answers(server, port) and address is not None:
            show(address)
        code = server.wait()
    except KeyboardInterrupt:
        server.terminate()
        server.wait()
        return
    if code > 0:
        raise click.exceptions.Exit(code)


def _answers(server: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the server answers; False where it has ended before."""
    while server.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return True
        except (OSError, http.client.HTTPException):
            time.sleep(0.2)  # not up yet
        finally:
            connection.close()
    return False
