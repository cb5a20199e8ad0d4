"""What an example is."""

from collections.abc import Callable
from typing import Any, NamedTuple

GUID = bytes(range(16))


class Example(NamedTuple):
    """A valid input of a parser and the value that it must give."""

    name: str
    parse: Callable[[memoryview], Any]
    data: memoryview
    value: Any
