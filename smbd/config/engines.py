"""Checks a share's engine and its options against aio's catalogue, each on its own line."""

from aio.catalog import check_options, parse_spec
from smbd.config.document import Findings
from smbd.config.lines import KeyPath
from smbd.config.model import ShareConfig


def check(document: Findings, key_path: KeyPath, share: ShareConfig) -> None:
    """Note what is wrong with the engine of a share. Whether it works here, `tsmbd check` tells."""
    try:
        spec = parse_spec(share.engine)
    except ValueError as error:
        document.problem((*key_path, "engine"), str(error))
        return
    for name, value in share.engine_options.items():
        try:
            check_options(spec, {name: value})
        except ValueError as error:
            document.problem((*key_path, "engine_options", name), str(error))
