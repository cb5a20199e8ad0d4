"""A rule: what it may say, what it says wrong, and the line that says it."""

from contextlib import suppress
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbd.faults import Asked, Faults, Rule, parse_rule
from smbd.faults.rule import _MEANT, BREAKS, COMMANDS, DROPS, ENDS
from smbd.faults.writing import write_rule
from smbd.ntstatus import NtStatus
from smbd.rows import ROWS

STATUSES = [name for name in vars(NtStatus) if not name.startswith("_")]
FAULTY = sorted(set(STATUSES) - {"SUCCESS", "PENDING"})
SECONDS = st.floats(0.001, 86_400, allow_nan=False)
COUNT = st.integers(1, 1 << 40)
# A key that says what goes wrong, and its values.
WAYS = {
    "status": st.sampled_from(FAULTY) | st.integers(0xC0000000, 0xCFFFFFFF),
    "drop": st.sampled_from([True, *DROPS]),
    **dict.fromkeys(
        ("hang", "pending", "forget", "expire", "closed", "garble", "guid"), st.sampled_from([True])
    ),
    "delay": SECONDS,
    "short": st.integers(0, 8 << 20),
    "credits": st.integers(0, 0xFFFF),
    "breaks": st.sampled_from([True, *BREAKS]),
    **dict.fromkeys(("max_read", "max_write", "max_transact"), st.integers(1, 8 << 20)),
}
PATHS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=20)


@st.composite
def rules(draw):
    """Rules of requests, all that may be said together."""
    ways = draw(st.sets(st.sampled_from(sorted(WAYS)), min_size=1, max_size=3))
    if len(ways & set(ENDS)) > 1 or {"hang", "delay"} <= ways:
        ways = {min(ways)}
    meant = set(COMMANDS).intersection(*(_MEANT.get(way, COMMANDS) for way in ways))
    if not meant:
        ways = {min(ways)}
        meant = set(_MEANT.get(min(ways), COMMANDS))
    said = {way: draw(WAYS[way]) for way in ways}
    commands = draw(st.lists(st.sampled_from(sorted(meant)), max_size=3, unique=True))
    if "CANCEL" in commands and str(said.get("drop")).startswith("half"):
        commands = []
    if commands:
        said["command"] = commands
    for key in ("path", "share", "user"):
        if set(commands or meant) <= _MEANT[key] and draw(st.booleans()):
            said[key] = draw(PATHS)
    for key in ("after", "times"):
        if draw(st.booleans()):
            said[key] = draw(COUNT)
    if draw(st.booleans()):
        said["probability"] = draw(st.floats(0.001, 0.999))
        said["seed"] = draw(st.integers(-1000, 1000))
    return Rule(**said)


@given(rules())
def test_the_line_of_a_rule_says_the_same_rule(rule):
    assert parse_rule(write_rule(rule)) == rule


@given(st.text(max_size=60))
def test_any_text_is_a_rule_or_a_value_error(text):
    with suppress(ValueError):
        assert isinstance(parse_rule(text), Rule)


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.binary()


@given(st.dictionaries(st.sampled_from([one.name for one in fields(Rule) if one.init]), VALUES))
def test_any_keys_are_a_rule_or_a_value_error_that_names_one(said):
    try:
        Rule(**said)
    except ValueError as error:
        key = str(error).partition(":")[0]
        assert key in said or key.startswith("a fault must say what goes wrong")


def test_commands_are_those_of_the_specification():
    assert set(COMMANDS) == {row.name for row in ROWS.values()}


@pytest.mark.parametrize("name", FAULTY)
def test_every_status_is_known_by_its_name(name):
    number = getattr(NtStatus, name)
    assert Rule(status=name).status == Rule(status=f"STATUS_{name}").status == number
    assert Rule(status=name.lower()) == Rule(status=hex(number)) == Rule(status=number)


WRONG = {
    "REED hang": "command: SMB2 has no 'REED'; did you mean \"READ\"?",
    "READ statsu=3": 'statsu: is no key of a fault; did you mean "status"?',
    "READ status=DISC_FULL": 'did you mean "DISK_FULL"?',
    "READ status=SUCCESS": "status: 'SUCCESS' is no fault",
    "READ status=PENDING": "say pending=True",
    "READ times=0 hang": "times: must be a whole number from 1 on, not 0",
    "READ delay=-1": "delay: must be seconds, as 0.5 or 500ms, not '-1'",
    "READ delay=soon": "delay: must be seconds, as 0.5 or 500ms, not 'soon'",
    "READ": "a fault must say what goes wrong",
    "READ hang drop": "contradicts",
    "READ hang delay=1": "delay: contradicts hang",
    "CLOSE short=1": "short: means nothing for CLOSE; it is for READ, WRITE",
    "ECHO path=x hang": "path: means nothing for ECHO",
    "NEGOTIATE user=x hang": "user: means nothing for NEGOTIATE",
    "CANCEL status=DISK_FULL": "status: means nothing for CANCEL",
    "TREE_CONNECT pending": "pending: means nothing for TREE_CONNECT",
    "READ drop=gone": "drop: must be True or one of",
    "READ probability=2 hang": "probability: must be more than 0",
    "READ seed=1 hang": "seed: means nothing without a probability",
    "READ rate=100": "rate and latency are of all connections",
    "READ a b hang": "'b': must be KEY=VALUE",
    "READ hang hang": "hang: is said twice",
    "READ 'a hang": "no closing quotation",
    "max_read=0": "max_read: must be a whole number from 1",
    "short=1 max_read=1": "say it apart",
    "READ done garble": "done: goes with status, drop, hang or delay",
    "READ hang=maybe": "hang: must be true or false",
}


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_rule_names_the_key_and_what_would_be_right(line):
    with pytest.raises(ValueError) as raised:
        parse_rule(line)
    assert WRONG[line] in str(raised.value)


def test_units_and_quotes():
    assert parse_rule("READ 'a b' delay=50ms short=4k") == Rule(
        command="READ", path="a b", delay=0.05, short=4096
    )
    assert parse_rule("rate=1M latency=2s") == Rule(rate=1 << 20, latency=2)


READ = Asked("READ", "ann", "Share", "Dir/a.BIN", 100, protected=True)


@pytest.mark.parametrize(
    ("meets", "said"),
    [
        (True, {}),
        (True, {"path": "*.bin"}),
        (True, {"path": r"\dir\a*"}),
        (True, {"path": "dir/?.bin"}),
        (False, {"path": "a.bin"}),
        (True, {"share": "share", "user": "A*"}),
        (False, {"share": "other"}),
        (False, {"user": "bob"}),
        (True, {"command": "read,write"}),
        (False, {"command": "WRITE"}),
        (True, {"short": 99}),
        (False, {"short": 100}),
    ],
)
def test_what_a_rule_meets(meets, said):
    said = said if "short" in said else said | {"hang": True}
    assert (Faults().add(Rule(**said)).means(READ)) is meets


def test_after_and_times():
    faults = Faults()
    fault = faults.add(Rule(command="READ", after=3, times=2, hang=True))
    struck = [faults.plan(READ) is not None for _ in range(8)]
    assert struck == [False] * 3 + [True] * 2 + [False] * 3
    assert (fault.seen, fault.hits) == (8, 2)


def test_a_seed_makes_the_same_requests_go_wrong_again():
    def story():
        faults = Faults()
        faults.add(Rule(hang=True, probability=0.5, seed=7))
        return [faults.plan(READ) is not None for _ in range(100)]

    assert story() == story()
    assert 20 < sum(story()) < 80


def test_rules_are_obeyed_together_and_a_second_end_has_the_next_request():
    faults = Faults()
    faults.add(Rule(delay=1.0))
    first = faults.add(Rule(status="DISK_FULL", times=1))
    second = faults.add(Rule(status="ACCESS_DENIED", times=1))
    plans = [faults.plan(READ) for _ in range(3)]
    assert [plan.status for plan in plans] == [NtStatus.DISK_FULL, NtStatus.ACCESS_DENIED, None]
    assert [plan.delay for plan in plans] == [1.0] * 3
    assert (first.hits, second.hits) == (1, 1)


def test_there_is_an_end_of_rules():
    faults = Faults()
    for _ in range(256):
        faults.add(Rule(hang=True))
    with pytest.raises(ValueError, match="256 faults"):
        faults.add(Rule(hang=True))
    faults.clear()
    assert not faults
