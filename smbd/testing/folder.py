"""The folders of a server for a test: the share's, if none is given, and the records'."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from smbd.presets import place
from smbd.testing.options import Options


@contextmanager
def folders(path: str | Path | None, options: Options) -> Iterator[tuple[Path, Options]]:
    """The share's folder with its content, and the options with all folders that they need.

    Those that nobody named are made, and gone after the block.
    """
    with TemporaryDirectory(prefix="smbd-", ignore_cleanup_errors=True) as spare:
        if path is None and not options.is_in_memory:
            path = Path(spare, "share")
            path.mkdir()
        if options.continuous and options.state_directory is None:
            options = replace(options, state_directory=Path(spare, "state"))
        with place(
            None if path is None else Path(path),
            memory=options.memory,
            preset=options.odd,
            tree=options.tree,
        ) as folder:
            yield folder, options
