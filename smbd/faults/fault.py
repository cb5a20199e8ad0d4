"""A rule at work: which requests it meets, and how many it has met."""

import random
import re
from collections.abc import Callable
from fnmatch import translate
from typing import NamedTuple, Self

from smbd.faults.rule import Rule
from smbd.faults.writing import write_rule


class Asked(NamedTuple):
    """What a request asks for, as far as rules go by it; what it has not is empty."""

    command: str
    user: str = ""
    share: str = ""
    path: str = ""
    length: int = 0  # of a READ or WRITE
    protected: bool = False  # its answer will be signed or sealed


class Fault:
    """A rule of a running server, until it is removed: as a context manager, with its block.

    `hits` counts the requests that went wrong by it, `seen` those that it meant.
    """

    def __init__(self, rule: Rule, number: int, remove: Callable[["Fault"], None]) -> None:
        self.rule = rule
        self.number = number
        self.seen = 0
        self.hits = 0
        self.removed = False
        self.struck: Callable[[], None] = lambda: None  # called at each hit, in the server's loop
        self._remove = remove
        self._random = random.Random(rule.seed)  # noqa: S311 - the same again is what is wanted
        self._held: dict[object, Callable[[], None]] = {}
        self._patterns = [
            (key, re.compile(translate(pattern.casefold())))
            for key in ("user", "share", "path")
            if (pattern := getattr(rule, key)) is not None
        ]

    def __repr__(self) -> str:
        return f"<Fault {self.number}: {self}, {self.hits} of {self.seen}>"

    def __str__(self) -> str:
        return write_rule(self.rule)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        """End it: what it holds back goes on.  A second call does nothing."""
        self._remove(self)

    def means(self, asked: Asked) -> bool:
        """Whether the rule is of such requests."""
        rule = self.rule
        if asked.command not in rule.commands:
            return False
        if rule.short is not None and asked.length <= rule.short:
            return False
        if rule.garble and not asked.protected:
            return False
        return all(
            pattern.match(getattr(asked, key).casefold()) is not None
            for key, pattern in self._patterns
        )

    def strikes(self) -> bool:
        """Count a request that the rule means; whether it goes wrong."""
        rule = self.rule
        self.seen += 1
        if self.seen <= rule.after or (rule.times is not None and self.hits >= rule.times):
            return False
        if rule.probability < 1 and self._random.random() >= rule.probability:
            return False
        self.hits += 1
        self.struck()
        return True

    def spare(self) -> None:
        """Nothing went wrong after all: there was nothing to damage."""
        self.hits -= 1

    # --- requests that it holds back ---

    def hold(self, request: object, release: Callable[[], None]) -> None:
        """A request is held back: `release` is called when the rule is removed.

        It may be by now: a request goes wrong in its burst, and is held back by a task behind it.
        """
        if self.removed:
            release()
        else:
            self._held[request] = release

    def let_go(self, request: object) -> None:
        """It is held back no more."""
        self._held.pop(request, None)

    @property
    def held(self) -> int:
        """How many requests it holds back at this moment."""
        return len(self._held)

    def end(self) -> None:
        """It is removed: what it holds back goes on."""
        self.removed = True
        while self._held:
            _, release = self._held.popitem()
            release()
