"""`nonlocal-lens`: the core's commands, `serve` and `figure`."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from app.figures.command import declare_figure
from app.main import create_app
from app.settings import Settings
from nonlocal_core.cli import make_parser, run
from nonlocal_core.commands.command import add_command


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser, commands = make_parser()
    _declare_serve(commands)
    declare_figure(commands)
    return run(parser, arguments)


def _declare_serve(commands: Any) -> None:
    parser = add_command(
        commands, "serve", _run_serve, "start the web app", "nonlocal-lens serve --host 0.0.0.0 --port 8000 --data lens"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 lets the network in")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--data", type=Path, help="folder that holds everything that is kept (default .data)")
    parser.add_argument(
        "--model",
        action="append",
        metavar="NAME",
        help="a name from `models` or a file; may be repeated, first is default",
    )


class _Server(uvicorn.Server):
    """Says where it is once it really answers, and ends with status 0 when told to stop."""

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(f"Nonlocal Lens: http://{self.config.host}:{self.config.port}/   (Ctrl-C stops it)", flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Stop in order, at the second signal at once; uvicorn's own would raise the signal again at the end."""
        self.force_exit = self.should_exit
        self.should_exit = True


def _run_serve(options: argparse.Namespace) -> int:
    given: dict[str, Any] = {}
    if options.data:
        given["data"] = options.data
    if options.model:
        given["models"] = tuple(options.model)
    settings = Settings(**given)
    config = uvicorn.Config(
        create_app(settings),
        host=options.host,
        port=options.port,
        log_level="warning",
        timeout_graceful_shutdown=5,  # event streams stay open for as long as they may
    )
    server = _Server(config)
    asyncio.run(server.serve())
    return 0 if server.started else 3
