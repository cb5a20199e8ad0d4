"""`tsmbd init`: writes the documented shares.toml, as a beginning, where there is none yet."""

import argparse
import os
import re
from importlib.resources import files

from smbd.cli import DEFAULT_CONFIG, UsageError

# A share of this project's own folder: nobody else has one of that name.
_OF_THE_PROJECT = re.compile(r"^\[shares\.source\]\n(?:[^\n\[]+\n)*", re.MULTILINE)


def run(arguments: argparse.Namespace) -> int:
    """Write the file, and say what comes next; a file that is there stays as it is."""
    text = documented()
    if str(arguments.file) == "-":
        print(text, end="")
        return 0
    path = arguments.file or DEFAULT_CONFIG
    try:
        # Not readable by others: people write passwords into it.
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path}: is there already, and stays as it is") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    config = "" if path == DEFAULT_CONFIG else f" --config {path}"
    print(f"wrote {path}: edit it, then `tsmbd check{config}`, then `tsmbd serve{config}`")
    return 0


def documented() -> str:
    """Return shares.toml with every key and its default, ready to be served anywhere."""
    try:
        text = files("smbd.cli").joinpath("shares.toml").read_text("utf-8")
    except FileNotFoundError:  # an image is built without: it has one of its own
        raise UsageError("this installation carries no shares.toml to begin with") from None
    return _OF_THE_PROJECT.sub(lambda found: re.sub("(?m)^", "#", found[0].rstrip()) + "\n", text)
