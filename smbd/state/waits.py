"""Something that ends later, as state tells of it: state itself never waits."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Wait:
    """It is over once, with a status; `wake` is called then, once.

    What waits for it sets `wake` and looks at `over`, in one step: smbd.waiting.until.
    """

    over: bool = False
    status: int = 0  # once it is over: what the request that waits is refused with, if not 0
    wake: Callable[[], None] = lambda: None

    def end(self, status: int = 0) -> None:
        """It is over; a second end does nothing."""
        if not self.over:
            self.over, self.status = True, status
            self.wake()

    def give_up(self) -> None:
        """Nothing waits for it any more."""
