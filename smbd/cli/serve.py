"""`tsmbd serve`: runs the server, and prints what it serves and how each client mounts it."""

import argparse
import getpass
import os
import select
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from aio import DEFAULT_SPEC, parse_spec
from smbd.cli import DEFAULT_CONFIG, UsageError, complain
from smbd.cli.banner import Banner
from smbd.cli.filling import filled, is_asked, preset_faults, with_preset
from smbd.cli.logs import event_line, start_logging
from smbd.cli.looking_on import looking_on
from smbd.cli.outlet import Outlet
from smbd.cli.ready import ReadyFile
from smbd.cli.status import served
from smbd.cli.troubles import told
from smbd.config import (
    Address,
    Config,
    ConfigError,
    Prepared,
    Problem,
    ServerConfig,
    ShareConfig,
    UserConfig,
    default_status_socket,
    exposed_problem,
    load,
    new_password,
    prepare,
    read_password,
    share_name_problem,
    stands_in,
    user_name_problem,
)
from smbd.faults import Rule, parse_rule

_ONLY_WITH_DIR = (
    "share_name", "user", "password_file", "guest", "read_only", "engine", "signing",
)  # fmt: skip

_LAST_WORDS = 0.5  # seconds for the reader of the last lines


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal ends it."""
    if is_asked(arguments) and arguments.config is not None:
        raise UsageError("--config excludes --content, --memory and --preset, which have no file")
    ready = ReadyFile(arguments.ready_file) if arguments.ready_file else None
    try:
        with filled(arguments) as with_folder:
            return _serve(with_folder, ready)
    finally:
        if ready is not None:
            ready.remove()


def _serve(arguments: argparse.Namespace, ready: ReadyFile | None) -> int:
    if arguments.die_with_parent:
        _end_with_parent()
    faults = _faults(arguments)
    prepared = prepare(configuration(arguments))
    config = prepared.config
    in_json = config.server.log_format == "json"
    _tell(prepared, in_json=in_json)
    before = signal.getsignal(signal.SIGHUP)
    if config.source is not None:
        # It has just been read: until the server is there to read it again nothing is missed.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    from smbd import server  # noqa: PLC0415 -- trio: a mistake above need not wait for it

    start_logging(config.server.log_format)
    output = Outlet(sys.stdout, lambda dropped: f"({dropped} lines are missing here)")
    banner = Banner(prepared, output.put)
    reread = partial(_reread, arguments, banner, output.put)

    def started(addresses: Sequence[Address]) -> None:
        banner.start(addresses)
        if ready is not None:
            ready.write(config, addresses)

    def stopped(document: Mapping[str, Any]) -> None:
        shown = served(document)
        if in_json:
            output.put(event_line("served", shown, shares=document["shares"]))
        elif shown:
            output.put(f"\n{shown}")

    try:
        with looking_on(arguments, config, faults) as begun:
            server.run(
                config,
                begun=begun,
                started=started,
                stopped=stopped,
                reread=None if config.source is None else reread,
                reloaded=banner.reloaded,
            )
    except OSError as error:
        complain(told(error))
        return 1
    finally:
        signal.signal(signal.SIGHUP, before)
        output.drain(_LAST_WORDS)
    return 0


def _end_with_parent() -> None:
    """Have the end of the process that started this one be as a SIGTERM.

    Not by PR_SET_PDEATHSIG: that comes at the end of the thread that started it.
    """
    try:
        parent = os.pidfd_open(os.getppid())
    except OSError as error:  # Linux before 5.3
        raise UsageError(f"--die-with-parent: {error.strerror}") from None

    def wait() -> None:
        select.select((parent,), (), ())
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def _faults(arguments: argparse.Namespace) -> Sequence[Rule] | None:
    """The rules by which requests go wrong; None if the server is to take none."""
    lines = [*preset_faults(arguments), *(arguments.fault or ())]
    if not (lines or arguments.faults):
        return None
    rules = []
    for line in lines:
        try:
            rules.append(parse_rule(line))
        except ValueError as error:
            raise UsageError(f"--fault {shlex.quote(line)}: {error}") from None
    return rules


def _tell(prepared: Prepared, *, in_json: bool) -> None:
    """Say what was made and what is unwise.  New passwords are among it, so not in the log."""
    for note in prepared.notes:
        print(event_line("made", note) if in_json else note)
    for warning in prepared.config.warnings:
        if in_json:
            print(event_line("warning", str(warning), level="warning"), file=sys.stderr)
        else:
            complain(f"warning: {warning}")


def _reread(arguments: argparse.Namespace, banner: Banner, say: Callable[[str], None]) -> Config:
    """The configuration once more, while the server runs: its mistakes go to the log."""
    try:
        prepared = prepare(configuration(arguments))
    except UsageError as error:  # shares.toml is away: an editor may be about to write it anew
        name = str(arguments.config or DEFAULT_CONFIG)
        raise ConfigError((Problem(name, None, "", str(error)),)) from None
    in_json = prepared.config.server.log_format == "json"
    for note in prepared.notes:
        say(event_line("made", note) if in_json else note)
    banner.prepared = prepared
    return prepared.config


def configuration(arguments: argparse.Namespace) -> Config:
    """Return the configuration for a command line; ConfigError or UsageError if there is none."""
    if arguments.directory is None:
        for name in _ONLY_WITH_DIR:
            if getattr(arguments, name) not in {None, False}:
                option = name.replace("_", "-")
                raise UsageError(f"--{option} needs DIR; for shares.toml, write it there")
        config = load(_config_file(arguments.config))
    elif arguments.config is not None:
        raise UsageError("--config and DIR exclude each other: a folder is served without a file")
    else:
        config = with_preset(directory_configuration(arguments), arguments)
    return replace(config, server=replace(config.server, listen=_listen(config.server, arguments)))


def _config_file(path: Path | None) -> Path:
    if path is None and not DEFAULT_CONFIG.exists() and not stands_in(DEFAULT_CONFIG):
        raise UsageError(
            "there is no shares.toml here: `tsmbd serve --config FILE` serves another one, "
            "and `tsmbd serve DIR` a folder without any"
        )
    return path or DEFAULT_CONFIG


def _listen(server: ServerConfig, arguments: argparse.Namespace) -> tuple[Address, ...]:
    if arguments.listen:
        try:
            return tuple(map(Address.parse, arguments.listen))
        except ValueError as error:
            raise UsageError(f"--listen {error}") from None
    if arguments.port is not None:
        return tuple(replace(address, port=arguments.port) for address in server.listen)
    return server.listen


def directory_configuration(arguments: argparse.Namespace) -> Config:
    """Return the configuration of one folder for one user."""
    # The user reads the absolute path; the kernel follows the links in it.
    directory = Path(os.path.abspath(arguments.directory.expanduser()))  # noqa: PTH100 -- `.` and `..` go
    if directory.is_file():
        raise UsageError(
            f"{directory}: is a file, and DIR must be a folder; a configuration is served by "
            f"`tsmbd serve --config {shlex.quote(str(arguments.directory))}`"
        )
    if not directory.is_dir():
        raise UsageError(f"{directory}: there is no such folder")
    user = UserConfig(
        _user_name(arguments.user),
        password=_password(arguments.password_file),
        password_file=arguments.password_file,
    )
    share = ShareConfig(
        _share_name(arguments.share_name, directory),
        directory,
        read_only=arguments.read_only,
        guest=arguments.guest,
        engine=_engine(arguments.engine),
    )
    server = ServerConfig(
        signing=arguments.signing or "required", status_socket=default_status_socket()
    )
    warnings: tuple[Problem, ...] = ()
    if user.password_file is not None:
        exposed = exposed_problem(user.password_file)
        warnings = (Problem("", None, "", exposed),) if exposed else ()
    return Config(server, (user,), (share,), warnings=warnings)


def _share_name(wanted: str | None, directory: Path) -> str:
    if wanted is None:
        return "share" if share_name_problem(directory.name) else directory.name
    wrong = share_name_problem(wanted)
    if wrong:
        raise UsageError(f"--share-name {wanted}: {wrong}")
    return wanted


def _engine(spec: str | None) -> str:
    if spec is None:
        return DEFAULT_SPEC
    try:
        parse_spec(spec)
    except ValueError as error:
        raise UsageError(f"--engine: {error}") from None
    return spec


def _user_name(wanted: str | None) -> str:
    """Return the name of the user who may log in; by default the current user's, if it can be."""
    if wanted is not None:
        wrong = user_name_problem(wanted)
        if wrong:
            raise UsageError(f"--user {shlex.quote(wanted)}: {wrong}")
        return wanted
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return "user"
    return "user" if user_name_problem(name) else name


def _password(file: Path | None) -> str:
    if file is None:
        return new_password()
    try:
        return read_password(file)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"--password-file {file}: {reason}") from None
