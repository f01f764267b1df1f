"""`nonlocal-lens`: the core's commands, `serve`, `worker` and `figure`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from app.figures.command import declare_figure
from app.jobs.supervisor import LOAD_TASK
from app.jobs.worker import WorkerSettings, run_alone
from app.logs import set_up_logs
from app.main import create_app
from app.patience import PatientProtocol
from app.settings import Settings
from nonlocal_core.cli import make_parser, run
from nonlocal_core.commands.checks import report
from nonlocal_core.commands.command import add_command, add_precision
from nonlocal_core.model.precision import check_precision

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser, commands = make_parser()
    _declare_serve(commands)
    _declare_worker(commands)
    declare_figure(commands)
    commands.choices["doctor"].set_defaults(run=_run_doctor)  # the core's, and what only the server knows
    return run(parser, arguments)


def _declare_serve(commands: Any) -> None:
    parser = add_command(
        commands, "serve", _run_serve, "start the web app", "nonlocal-lens serve --host 0.0.0.0 --port 8000 --data lens"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 lets the network in")
    parser.add_argument("--port", type=int, default=8000)
    _add_settings(parser)


def _declare_worker(commands: Any) -> None:
    parser = add_command(
        commands, "worker", _run_worker, "analyse what a server elsewhere queues", "nonlocal-lens worker --name gpu-1"
    )
    parser.add_argument(
        "--name", type=_worker_name, default="worker-0", help="its own among the workers of this machine (%(default)s)"
    )
    _add_settings(parser)


def _worker_name(text: str) -> str:
    if not re.fullmatch("[a-z0-9][a-z0-9-]{0,39}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name: use up to 40 of a-z, 0-9 and -")
    return text


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="folder that holds everything that is kept (default .data)")
    parser.add_argument(
        "--model",
        action="append",
        metavar="NAME",
        help="a name from `models` or a file; may be repeated, first is default",
    )
    add_precision(parser, default=None)
    parser.add_argument("--log", choices=("human", "json"), help="what lines of the log look like (default human)")


class _Server(uvicorn.Server):
    """Says where it is once it really answers, and ends with status 0 when told to stop."""

    def __init__(self, config: uvicorn.Config, say: Callable[[str], None]) -> None:
        super().__init__(config)
        self._say = say

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._say(f"http://{self.config.host}:{self.config.port}/")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Stop in order, at the second signal at once; uvicorn's own would raise the signal again at the end."""
        self.force_exit = self.should_exit
        self.should_exit = True


def _settings_of(options: argparse.Namespace) -> Settings:
    given: dict[str, Any] = {}
    if options.data:
        given["data"] = options.data
    if options.model:
        given["models"] = tuple(options.model)
    if options.log:
        given["log"] = options.log
    if options.precision:
        given["precision"] = options.precision
    return Settings(**given)


def _run_doctor(options: argparse.Namespace) -> int:
    from app.doctor import examine_server

    return report(examine_server(Settings(**({"data": options.data} if options.data else {}))))


def _say_to_people(address: str) -> None:
    print(f"Nonlocal Lens: {address}   (Ctrl-C stops it)", flush=True)


def _say_to_the_log(address: str) -> None:
    log.info("serving on %s", address)


def _run_serve(options: argparse.Namespace) -> int:
    settings = _settings_of(options)
    check_precision(settings.precision)
    set_up_logs(settings.log, "web")
    config = uvicorn.Config(
        create_app(settings),
        host=options.host,
        port=options.port,
        log_config=None,  # uvicorn's own lines go where ours go
        http=PatientProtocol,
        log_level="warning",
        timeout_graceful_shutdown=5,  # event streams stay open for as long as they may
    )
    server = _Server(config, _say_to_people if settings.log == "human" else _say_to_the_log)
    asyncio.run(server.serve())
    return 0 if server.started else 3


def _run_worker(options: argparse.Namespace) -> int:
    settings = _settings_of(options).model_copy(update={"worker": False})
    known = WorkerSettings.model_validate_json(settings.model_dump_json()).model_copy(update={"name": options.name})
    run_alone(known, task=LOAD_TASK)
    return 0
