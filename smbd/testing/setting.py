"""What a server stands on, from before its first start until after its last end."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from smbd.config import Config
from smbd.presets import place
from smbd.testing.options import Options
from smbd.testing.ports import Ports
from smbd.testing.settings import make_config


class Setting:
    """The folders and ports of a server.  Folders that nobody has named are new, and go with it.

    To make it may take a while: 10,000 files, or a process that makes a folder in memory.
    """

    def __init__(self, path: str | Path | None, options: Options) -> None:
        """ValueError for a wrong option, OSError for a folder or a port that cannot be had."""
        self.options = options
        self._spare: Path | None = None
        self._stack = ExitStack()
        try:
            self.config = self._with_ports(self._make_config(path))
        except BaseException:
            self._stack.close()
            raise

    def _make_config(self, path: str | Path | None) -> Config:
        config = make_config(self._folder(path), self.options, self._spare_folder)
        for share in config.shares:
            if self._spare is not None and share.path.is_relative_to(self._spare):
                share.path.mkdir(parents=True, exist_ok=True)
        return config

    def _folder(self, path: str | Path | None) -> Path:
        """The folder with its content."""
        options = self.options
        if path is None and not options.is_in_memory:
            path = self._spare_folder() / "share"
            path.mkdir()
        path = None if path is None else Path(path)
        placed = place(path, memory=options.memory, preset=options.odd, tree=options.tree)
        return self._stack.enter_context(placed)

    def _with_ports(self, config: Config) -> Config:
        """The ports that it has got, in place of 0: it comes back there."""
        ports = Ports(config.server.listen)
        self._stack.callback(ports.release)
        return replace(config, server=replace(config.server, listen=tuple(ports.addresses)))

    def _spare_folder(self) -> Path:
        if self._spare is None:
            made = TemporaryDirectory(prefix="smbd-", ignore_cleanup_errors=True)
            self._spare = Path(self._stack.enter_context(made)).absolute()
        return self._spare

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
