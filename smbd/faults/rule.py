"""What a rule may say: which requests it means, and what becomes of them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, fields
from typing import Literal, TypeAlias

from smbd.ntstatus import NtStatus

COMMANDS = (
    "NEGOTIATE", "SESSION_SETUP", "LOGOFF", "TREE_CONNECT", "TREE_DISCONNECT", "CREATE", "CLOSE",
    "FLUSH", "READ", "WRITE", "LOCK", "IOCTL", "CANCEL", "ECHO", "QUERY_DIRECTORY",
    "CHANGE_NOTIFY", "QUERY_INFO", "SET_INFO", "OPLOCK_BREAK",
)  # fmt: skip

_OF_FILES = frozenset(
    (
        "CLOSE", "FLUSH", "READ", "WRITE", "LOCK", "IOCTL", "QUERY_DIRECTORY", "CHANGE_NOTIFY",
        "QUERY_INFO", "SET_INFO",
    )
)  # fmt: skip
_WITHOUT_USER = frozenset(("NEGOTIATE", "SESSION_SETUP"))
_WITHOUT_SHARE = _WITHOUT_USER | {"LOGOFF", "ECHO", "CANCEL"}
_NEVER_INTERIM = frozenset(("NEGOTIATE", "SESSION_SETUP", "TREE_CONNECT", "CANCEL"))
_ALL = frozenset(COMMANDS)

# For which commands a key has a meaning; a rule that names none means these.
_MEANT: dict[str, frozenset[str]] = {
    "status": _ALL - {"CANCEL"},
    "delay": _ALL - {"CANCEL"},
    "done": _ALL - {"CANCEL"},
    "credits": _ALL - {"CANCEL"},
    "garble": _ALL - {"CANCEL", "NEGOTIATE"},
    "pending": _ALL - _NEVER_INTERIM,
    "short": frozenset(("READ", "WRITE")),
    "max_read": frozenset(("NEGOTIATE",)),
    "max_write": frozenset(("NEGOTIATE",)),
    "max_transact": frozenset(("NEGOTIATE",)),
    "guid": frozenset(("NEGOTIATE",)),
    "breaks": frozenset(("CREATE",)),
    "closed": _OF_FILES,
    "forget": _ALL - _WITHOUT_USER,
    "expire": _ALL - _WITHOUT_USER,
    "path": _OF_FILES | {"CREATE"},
    "share": _ALL - _WITHOUT_SHARE,
    "user": _ALL - _WITHOUT_USER,
}

DROPS = ("close", "reset", "half", "half-reset")
BREAKS = {"none": 0, "r": 1, "rh": 3, "rw": 5}  # LeaseState: what is left
_LARGEST = 8 << 20  # of a READ or WRITE: nothing is longer
_LONGEST = 86_400.0  # seconds
# Nobody can say less: a client could not log in.
_SMALLEST_LIMIT = 1

Drop: TypeAlias = Literal["close", "reset", "half", "half-reset"]
Breaks: TypeAlias = Literal["none", "r", "rh", "rw"]

_STATUSES: dict[str, int] = {
    name: value for name, value in vars(NtStatus).items() if not name.startswith("_")
}
_NO_FAULTS = {
    NtStatus.SUCCESS: "is no fault",
    NtStatus.PENDING: "is no last answer: say pending=True for an interim one",
}


def near(word: str, words: Iterable[str]) -> str:
    """'; did you mean "READ"?', if that is likely."""
    from difflib import get_close_matches  # noqa: PLC0415 -- for mistakes alone

    found = get_close_matches(word, list(words), n=1, cutoff=0.5)
    return f'; did you mean "{found[0]}"?' if found else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Which requests go wrong, and how; ValueError names the key, and what would be right.

    All that it says of a request must hold.  `path`, `share` and `user` are patterns in which *
    and ? stand for any characters, also for slashes; upper and lower case are the same, as in
    names of SMB.
    """

    command: str | Collection[str] | None = None  # as [MS-SMB2] names it; several: a collection
    path: str | None = None  # from the share's folder on
    share: str | None = None
    user: str | None = None
    after: int = 0  # so many such requests go well before
    times: int | None = None  # so many go wrong, and those that follow go well; None: all do
    probability: float = 1.0  # with which one goes wrong
    seed: int | None = None  # the same requests go wrong again

    # In place of carrying the request out.
    status: int | str | None = None  # it is answered so
    drop: bool | Drop | None = None  # the connection ends: True is "close"
    hang: bool = False  # it has no answer, until the rule is removed
    # Before that, or before it is carried out.
    delay: float | None = None  # seconds
    pending: bool = False  # an interim response comes first
    forget: bool = False  # the session ends: USER_SESSION_DELETED
    expire: bool = False  # the session has to log in again: NETWORK_SESSION_EXPIRED
    closed: bool = False  # the server closes the file: FILE_CLOSED
    done: bool = False  # it is carried out first, and what goes wrong is its answer
    # Besides.
    short: int | None = None  # a READ or WRITE moves so many bytes at most
    garble: bool = False  # the signature of the answer is damaged
    credits: int | None = None  # the answer grants so many
    breaks: bool | Breaks | None = None  # what a CREATE may cache is broken at once, to this
    guid: bool = False  # the server has another ServerGuid from now on
    max_read: int | None = None  # NEGOTIATE says so
    max_write: int | None = None
    max_transact: int | None = None
    # Of all connections.
    rate: int | None = None  # bytes a second, in each direction of each connection
    latency: float | None = None  # seconds for which what comes in waits

    commands: frozenset[str] = field(init=False, repr=False, compare=False)  # that it means

    def __post_init__(self) -> None:
        for key, checked in _checked(self).items():
            object.__setattr__(self, key, checked)
        object.__setattr__(self, "commands", _meant(self))

    @property
    def said(self) -> dict[str, object]:
        """The keys that have another value than they have by default."""
        found = {}
        for one in fields(self):
            if one.init and getattr(self, one.name) != one.default:
                found[one.name] = getattr(self, one.name)
        return found

    @property
    def is_of_line(self) -> bool:
        """Whether it is of all connections, and of no request."""
        return self.rate is not None or self.latency is not None

    @property
    def ways(self) -> set[str]:
        """The keys that say what goes wrong."""
        return self.said.keys() - MEETING


MEETING = frozenset(("command", "path", "share", "user", "after", "times", "probability", "seed"))
# Two rules of which one request can obey only one.
ENDS = ("status", "drop", "hang", "forget", "expire", "closed")


def _checked(rule: Rule) -> dict[str, object]:
    """The values as they are kept; ValueError."""
    found: dict[str, object] = {"command": _command_names(rule.command)}
    for key in ("path", "share", "user"):
        found[key] = _pattern(key, getattr(rule, key))
    for key, least, most in (
        ("after", 0, None),
        ("times", 1, None),
        ("short", 0, _LARGEST),
        ("credits", 0, 0xFFFF),
        ("max_read", _SMALLEST_LIMIT, _LARGEST),
        ("max_write", _SMALLEST_LIMIT, _LARGEST),
        ("max_transact", _SMALLEST_LIMIT, _LARGEST),
        ("rate", 1, None),
    ):
        _check_whole(key, getattr(rule, key), least, most)
    for key in ("delay", "latency"):
        found[key] = _seconds(key, getattr(rule, key))
    flags = ("hang", "pending", "forget", "expire", "closed", "done", "garble", "guid")
    for key in flags:
        if not isinstance(getattr(rule, key), bool):
            raise ValueError(  # noqa: TRY004 -- one kind of error for all of a rule
                f"{key}: must be True or False, not {getattr(rule, key)!r}"
            )
    _check_chance(rule)
    found["status"] = None if rule.status is None else status_of(rule.status)
    found["drop"] = _one_of("drop", rule.drop, "close", DROPS)
    found["breaks"] = _one_of("breaks", rule.breaks, "none", BREAKS)
    return found


def _command_names(said: object) -> str | tuple[str, ...] | None:
    if said is None:
        return None
    if isinstance(said, bytes) or not isinstance(said, Collection):
        raise ValueError(  # noqa: TRY004
            f'command: must be a name such as "READ", or several, not {said!r}'
        )
    words = said.split(",") if isinstance(said, str) else list(said)
    names = [str(word).strip().upper().replace(" ", "_") for word in words]
    for name in names:
        if name not in COMMANDS:
            advice = near(name, COMMANDS) or f"; there are {', '.join(COMMANDS)}"
            raise ValueError(f"command: SMB2 has no {name!r}{advice}")
    if not names:
        raise ValueError("command: names none; leave it out to mean all")
    return names[0] if len(names) == 1 else tuple(dict.fromkeys(names))


def _pattern(key: str, said: object) -> str | None:
    if said is None:
        return None
    if not isinstance(said, str):
        raise ValueError(  # noqa: TRY004
            f'{key}: must be a pattern such as "*.bin", not {said!r}'
        )
    return said.replace("\\", "/").strip("/") if key == "path" else said


def _check_whole(key: str, said: object, least: int, most: int | None) -> None:
    if said is None and key != "after":
        return
    if not isinstance(said, int) or isinstance(said, bool) or said < least or said > (most or said):
        bounds = f"from {least} to {most}" if most else f"from {least} on"
        raise ValueError(f"{key}: must be a whole number {bounds}, not {said!r}")


def _seconds(key: str, said: object) -> float | None:
    if said is None:
        return None
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 < said <= _LONGEST:
        raise ValueError(f"{key}: must be seconds, more than 0 and at most a day, not {said!r}")
    return float(said)


def _check_chance(rule: Rule) -> None:
    said = rule.probability
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 < said <= 1:
        raise ValueError(f"probability: must be more than 0 and at most 1, not {said!r}")
    if rule.seed is not None and (isinstance(rule.seed, bool) or not isinstance(rule.seed, int)):
        raise ValueError(f"seed: must be a whole number, not {rule.seed!r}")
    if rule.seed is not None and said == 1:
        raise ValueError("seed: means nothing without a probability below 1")


def _one_of(key: str, said: object, default: str, choices: Collection[str]) -> str | None:
    if said is None or said is False:
        return None
    if said is True:
        return default
    if said not in choices:
        words = ", ".join(f'"{one}"' for one in choices)
        raise ValueError(f"{key}: must be True or one of {words}, not {said!r}")
    return str(said)


def status_of(said: int | str) -> int:
    """An NTSTATUS by its name, with or without STATUS_, or by its number; ValueError."""
    if isinstance(said, bool) or not isinstance(said, int | str):
        raise ValueError(  # noqa: TRY004
            f"status: must be the name or the number of an NTSTATUS, not {said!r}"
        )
    number = said
    if isinstance(said, str):
        name = said.strip().upper().removeprefix("STATUS_")
        found = _STATUSES.get(name)
        if found is None:
            try:
                found = int(name, 0)
            except ValueError:
                advice = near(name, _STATUSES) or "; any other is said by its number, as 0xC000007F"
                raise ValueError(f"status: {said!r} is not known by its name{advice}") from None
        number = found
    assert isinstance(number, int)
    if number in _NO_FAULTS:
        raise ValueError(f"status: {said!r} {_NO_FAULTS[number]}")
    if not 0 < number <= 0xFFFFFFFF:
        raise ValueError(f"status: must have 32 bits, not {said!r}")
    return number


def _meant(rule: Rule) -> frozenset[str]:
    """The commands that a checked rule means; ValueError if its keys contradict one another."""
    said = rule.said
    faults = [key for key in said if key not in MEETING]
    if not faults or faults == ["done"]:
        raise ValueError("a fault must say what goes wrong: status, drop, hang, delay, short ...")
    if rule.is_of_line:
        others = [key for key in said if key not in {"rate", "latency"}]
        if others:
            raise ValueError(f"{others[0]}: rate and latency are of all connections: say it apart")
        return frozenset()
    _check_ends(rule, faults)
    named = _ALL if rule.command is None else frozenset(_names(rule.command))
    meant = named
    for key in said:
        possible = _MEANT.get(key, _ALL)
        if rule.command is not None and not named <= possible:
            wrong = min(named - possible)
            right = ", ".join(one for one in COMMANDS if one in possible)
            raise ValueError(f"{key}: means nothing for {wrong}; it is for {right}")
        meant &= possible
    if not meant:
        raise ValueError(f"{faults[-1]}: is of other commands than {faults[0]}: say it apart")
    return meant


def _check_ends(rule: Rule, faults: list[str]) -> None:
    ends = [key for key in faults if key in ENDS]
    if len(ends) > 1:
        raise ValueError(f"{ends[1]}: contradicts {ends[0]}: a request ends in one way")
    if rule.hang and rule.delay is not None:
        raise ValueError("delay: contradicts hang, which has no end")
    if rule.done and not (rule.status is not None or rule.drop or rule.hang or rule.delay):
        raise ValueError("done: goes with status, drop, hang or delay")
    half = str(rule.drop).startswith("half")
    if half and "CANCEL" in _names(rule.command):
        raise ValueError("drop: CANCEL has no answer of which one half could be sent")


def _names(command: str | Collection[str] | None) -> Collection[str]:
    if command is None:
        return ()
    return (command,) if isinstance(command, str) else command
