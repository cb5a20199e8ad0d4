"""`tsmbd presets`: the odd servers that there are by name, and what makes each one odd."""

import argparse
import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from smbd.cli import UsageError
from smbd.cli.table import table
from smbd.presets import PRESETS, Preset, find


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each, or all of one."""
    if arguments.name is not None:
        try:
            preset = find(arguments.name)
        except ValueError as error:
            raise UsageError(str(error)) from None
        print("\n".join(_described(preset)))
        return 0
    rows = [(preset.name, preset.line) for preset in PRESETS.values()]
    print(table(("name", "what a client meets"), rows, left=2))
    print("\n`tsmbd serve --preset NAME` serves one; in tests, make_smb_server(preset=...).")
    return 0


def _described(preset: Preset) -> Iterator[str]:
    """Its settings as shares.toml has them, its content, and its faults as --fault takes them."""
    yield f"# {preset.line}"
    yield from _settings("server", preset.server)
    yield from _settings("server.limits", preset.limits)
    yield from _settings("shares.share", preset.share)
    if preset.shares:
        yield f"# and {len(preset.shares)} shares, {preset.shares[0]} to {preset.shares[-1]}"
    if preset.tree is not None:
        yield "# its folder is filled"
    if preset.memory is not None:
        yield f"# its folder is in memory: --memory {preset.memory}, and full"
    for rule in preset.faults:
        yield f"# --fault {shlex.quote(rule)}"


def _settings(name: str, values: Mapping[str, Any]) -> Iterator[str]:
    if values:
        yield f"[{name}]"
    for key, value in values.items():
        yield f"{key} = {json.dumps(value)}"  # TOML has these values as JSON
