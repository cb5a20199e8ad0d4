"""A share as it is served: its configuration, its folder and its I/O engine."""

from dataclasses import dataclass

from aio import Engine
from smbd.config import ShareConfig
from smbd.vfs import Root


@dataclass(slots=True, eq=False)
class Share:
    """A folder that clients connect to by name."""

    config: ShareConfig
    root: Root
    engine: Engine

    @property
    def name(self) -> str:
        """The name as configured; clients may spell it in any case."""
        return self.config.name
