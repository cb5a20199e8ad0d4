"""Something that ends later, as state tells of it: state itself never waits."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Wait:
    """It is over once; `wake` is called then."""

    over: bool = False
    wake: Callable[[], None] = lambda: None

    def end(self) -> None:
        """It is over."""
        self.over = True
        self.wake()
