"""`tsmbd serve` with --content, --memory or --preset: a folder that is made, or filled, first."""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from smbd.cli import UsageError
from smbd.config import Config, check_made

_OPTIONS = ("content", "memory", "preset")


def is_asked(arguments: argparse.Namespace) -> bool:
    """Whether any of these options is there: then no shares.toml is served."""
    return any(getattr(arguments, name) is not None for name in _OPTIONS)


@contextmanager
def filled(arguments: argparse.Namespace) -> Iterator[argparse.Namespace]:
    """The arguments, with a folder that has what they ask for; a new one in memory without DIR.

    Raises UsageError for what cannot be.
    """
    if not is_asked(arguments):
        yield arguments
        return
    from smbd import presets  # noqa: PLC0415 -- a server without all of this starts without
    from smbd.content import document  # noqa: PLC0415

    directory: Path | None = arguments.directory
    if directory is not None and not directory.expanduser().is_dir():
        yield arguments  # the error is that of any folder
        return
    try:
        preset = None if arguments.preset is None else presets.find(arguments.preset)
        tree = None if arguments.content is None else document.load(arguments.content)
        memory = arguments.memory if arguments.memory is not None else directory is None
        if memory is True and preset is not None and preset.memory is not None:
            memory = False  # the preset says how large
        placing = presets.place(
            None if directory is None else directory.expanduser(),
            memory=memory,
            preset=preset,
            tree=tree,
        )
        folder = placing.__enter__()
    except FileExistsError as error:
        raise UsageError(f"{directory}: {error.filename} is there already, and it stays") from None
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        raise UsageError(f"{place}{error.strerror}") from None
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from None
    try:
        own = argparse.Namespace(**vars(arguments))
        if directory is None:
            own.directory = folder
            own.share_name = arguments.share_name or "share"
        yield own
    finally:
        placing.__exit__(None, None, None)


def preset_faults(arguments: argparse.Namespace) -> Sequence[str]:
    """The rules by which requests to the preset go wrong."""
    if arguments.preset is None:
        return ()
    from smbd import presets  # noqa: PLC0415

    return presets.find(arguments.preset).faults


def with_preset(config: Config, arguments: argparse.Namespace) -> Config:
    """The configuration with the preset's settings, but for those that the arguments say."""
    if arguments.preset is None:
        return config
    from smbd import presets  # noqa: PLC0415

    given = [name for name, value in vars(arguments).items() if value not in {None, False}]
    applied = presets.find(arguments.preset).applied(config, given)
    try:
        check_made(applied)
    except ValueError as error:
        raise UsageError(f"--preset {arguments.preset}: {error}") from None
    return applied
