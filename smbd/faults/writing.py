"""A rule in one line: `READ *.bin after=3 status=DISK_FULL`.

First the command, or several (`READ,WRITE`), and the path, each of which may be missing; then keys
with their values, as `Rule` has them.  A key that is true or not stands alone (`hang`).  Times may
have the units s and ms, sizes k and M.  Quotes are a shell's: 'READ "a file" hang'.
"""

import re
import shlex
from collections.abc import Callable
from dataclasses import fields

from smbd.faults.rule import COMMANDS, Rule, near
from smbd.ntstatus import status_name

_NUMBER = re.compile(r"(-?[0-9]+)([kM]?)")
_TIME = re.compile(r"([0-9]*\.?[0-9]+(?:e-?[0-9]+)?)(ms|s|)")
_TO_QUOTE = re.compile(r"[\s'\"\\]")
_UNITS = {"": 1, "k": 1 << 10, "M": 1 << 20}
_KEYS = tuple(one.name for one in fields(Rule) if one.init)
_FLAGS = frozenset(("hang", "pending", "forget", "expire", "closed", "done", "garble", "guid"))
_WORDS = frozenset(("drop", "breaks"))  # true or a word
_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def parse_rule(line: str) -> Rule:
    """The rule that a line says; ValueError names the key, and what would be right."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise ValueError(f"{line!r}: {str(error).lower()}") from None
    said: dict[str, object] = {}
    for place, word in enumerate(words):
        key, equals, value = word.partition("=")
        if equals and key.lower().replace("-", "_") in _KEYS:
            key = key.lower().replace("-", "_")
            _say(said, key, _VALUES[key](key, value))
        elif word in _FLAGS or word in _WORDS:
            _say(said, word, value=True)
        elif place == 0 and _is_command(word):
            _say(said, "command", word)
        elif equals:
            raise ValueError(f"{key}: is no key of a fault{near(key, _KEYS)}")
        elif "path" not in said and place <= ("command" in said):
            _say(said, "path", word)
        else:
            raise ValueError(f"{word!r}: must be KEY=VALUE{near(word, (*_FLAGS, *_WORDS))}")
    return Rule(**said)  # type: ignore[arg-type]  # it checks each


def _is_command(word: str) -> bool:
    """Whether a first word means commands: one of them, or what only a mistyped one looks like."""
    return all(
        one.upper() in COMMANDS or (one.isupper() and one.replace("_", "").isalpha())
        for one in word.split(",")
    )


def _say(said: dict[str, object], key: str, value: object) -> None:
    if key in said:
        raise ValueError(f"{key}: is said twice")
    said[key] = value


def write_rule(rule: Rule) -> str:
    """The line that says a rule."""
    words = []
    for key, value in rule.said.items():
        if key == "command":
            words.append(value if isinstance(value, str) else ",".join(_several(value)))
        elif key == "path" and rule.command is not None and _stands_alone(str(value)):
            words.append(_quoted(str(value)))
        elif key == "status":
            assert isinstance(value, int)
            words.append(f"status={status_name(value)}")
        elif value is True:
            words.append(key)
        elif isinstance(value, float):
            words.append(f"{key}={value!r}")
        else:
            words.append(f"{key}={_quoted(str(value))}")
    return " ".join(words)


def _several(value: object) -> tuple[str, ...]:
    assert isinstance(value, tuple)
    return value


def _stands_alone(path: str) -> bool:
    return bool(path) and "=" not in path and path not in _FLAGS | _WORDS


def _quoted(word: str) -> str:
    """As a shell needs it, but for * and ?: a person reads it."""
    return shlex.quote(word) if _TO_QUOTE.search(word) else word


def _whole(key: str, value: str) -> int:
    found = _NUMBER.fullmatch(value)
    if not found:
        raise ValueError(f"{key}: must be a whole number, maybe with k or M, not {value!r}")
    return int(found[1]) * _UNITS[found[2]]


def _time(key: str, value: str) -> float:
    found = _TIME.fullmatch(value)
    if not found:
        raise ValueError(f"{key}: must be seconds, as 0.5 or 500ms, not {value!r}")
    return float(found[1]) / (1000 if found[2] == "ms" else 1)


def _chance(key: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"{key}: must be more than 0 and at most 1, not {value!r}") from None


def _flag(key: str, value: str) -> bool:
    truth = _TRUTH.get(value.lower())
    if truth is None:
        raise ValueError(f"{key}: must be true or false, not {value!r}")
    return truth


def _word(_key: str, value: str) -> bool | str:
    return _TRUTH.get(value.lower(), value)


def _text(_key: str, value: str) -> str:
    return value


_VALUES: dict[str, Callable[[str, str], object]] = {
    **dict.fromkeys(("command", "path", "share", "user", "status"), _text),
    **dict.fromkeys(_FLAGS, _flag),
    **dict.fromkeys(_WORDS, _word),
    **dict.fromkeys(("delay", "latency"), _time),
    "probability": _chance,
    **dict.fromkeys(
        (
            "after", "times", "seed", "short", "credits", "max_read", "max_write", "max_transact",
            "rate",
        ),
        _whole,
    ),
}  # fmt: skip
