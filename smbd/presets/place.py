"""The folder of a server that is asked for by its content, or by a preset."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from smbd.content import MemoryFolder, Tree, make
from smbd.presets.preset import Preset

Memory = bool | int | str  # whether in memory, or with which limit: bytes, or like "64 MiB"

FILLER = "filler.bin"


def is_in_memory(memory: Memory, preset: Preset | None) -> bool:
    """Whether the folder is a new one in memory where nobody names one."""
    return memory is not False or (preset is not None and preset.is_in_memory)


@contextmanager
def place(
    path: Path | None,
    *,
    memory: Memory = False,
    preset: Preset | None = None,
    tree: Tree | None = None,
) -> Iterator[Path]:
    """The folder to serve, with the content of the preset, and then that of `tree`.  Blocks.

    It is `path`, or a new one in memory, which is gone after the block.  Raises ValueError if it is
    to be both, and for what cannot be; TypeError, OSError as `make` and MemoryFolder.
    """
    if path is not None:
        _check_free(memory, preset)
    if path is None:
        size = memory if memory is not True and memory is not False else None
        if size is None and preset is not None:
            size = preset.memory
        holder = MemoryFolder(size)
        with holder:
            _fill(holder.path, preset, tree)
            if preset is not None and preset.fills:
                holder.fill(FILLER)
            yield holder.path
    else:
        _fill(path, preset, tree)
        yield path


def _check_free(memory: Memory, preset: Preset | None) -> None:
    if memory is not False:
        why = "memory"
    elif preset is not None and preset.memory is not None:
        why = f'preset "{preset.name}"'
    else:
        return
    raise ValueError(f"{why}: the folder is a new one in memory, so no other can be given")


def _fill(directory: Path, preset: Preset | None, tree: Tree | None) -> None:
    if preset is not None and preset.tree is not None:
        make(directory, preset.tree())
    if tree is not None:
        make(directory, tree)
