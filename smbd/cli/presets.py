"""`tsmbd presets`: the odd servers that there are by name."""

import argparse

from smbd.cli.table import table
from smbd.presets import PRESETS


def run(_arguments: argparse.Namespace) -> int:
    """Print a line for each."""
    rows = [(preset.name, preset.line) for preset in PRESETS.values()]
    print(table(("name", "what a client meets"), rows, left=2))
    print("\n`tsmbd serve --preset NAME` serves one; in tests, make_smb_server(preset=...).")
    return 0
