"""The catalogue: specs and options, checked without trio or cffi."""

import subprocess
import sys
from pathlib import Path

import pytest

import aio
from aio.catalog import (
    ENGINES,
    PROBE,
    PROBE_HOW,
    check_options,
    engine_names,
    options_of,
    parse_spec,
)
from tests.aio.engines import Form


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("sync", "sync"),
        ("threads", "threads"),
        ("nowait", "nowait+threads"),
        ("nowait+threads", "nowait+threads"),
        ("nowait+sync", "nowait+sync"),
        ("libaio", "libaio"),
        ("uring,libaio,threads", "uring,libaio,threads"),
        ("nowait+uring,threads", "nowait+uring,threads"),
    ],
)
def test_a_spec_has_one_name(text: str, name: str) -> None:
    assert str(parse_spec(text)) == name
    assert parse_spec(name) == parse_spec(text)


def test_every_name_that_is_offered_is_a_spec() -> None:
    specs = [parse_spec(name) for name in engine_names()]
    assert {spec.engines for spec in specs} == {(name,) for name in ENGINES}


async def test_an_engine_says_what_it_is(form: Form) -> None:
    engine = form.open()
    assert engine.name == str(parse_spec(form.spec))
    assert engine.notes == ()
    await engine.aclose()


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("thread", "did you mean 'threads'"),
        ("nowait+thread", "did you mean 'nowait+threads'"),
        ("", "there are nowait, "),
        ("nowait+", "did you mean 'nowait"),
        ("+sync", "did you mean '"),
        ("xyz", "there are nowait, nowait+sync, nowait+threads, "),
        ("uring,thread", "no engine 'thread': did you mean 'threads'"),
        ("uring,", "no engine '': there are sync, threads, "),
        ("nowait+uring,nowait", "no engine 'nowait': there are"),
    ],
)
def test_a_wrong_spec_names_what_would_be_right(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match="there is no engine") as caught:
        parse_spec(text)
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("uring,libaio,uring", "names engine 'uring' twice"),
        ("threads,uring", "every machine has engine 'threads': 'threads,uring' ends with it"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        parse_spec(text)


def test_a_list_takes_the_options_of_all() -> None:
    assert set(options_of(parse_spec("uring,threads"))) == {
        "depth",
        "direct",
        "dontcache",
        "workers",
    }
    assert set(options_of(parse_spec("nowait+uring"))) == {"depth", "dontcache", "inline_limit"}


def test_a_switch_is_false_or_true() -> None:
    spec = parse_spec("libaio")
    for given, value in ((True, 1), (False, 0), (1, 1), (0, 0), (None, 0)):
        assert check_options(spec, {"direct": given})["direct"] == value
    [direct] = [option for option in ENGINES["libaio"].options if option.name == "direct"]
    [depth] = [option for option in ENGINES["libaio"].options if option.name == "depth"]
    assert direct.range == "false or true"
    assert depth.range == "1 to 4096"


def test_options_left_out_have_their_defaults() -> None:
    spec = parse_spec("nowait")
    defaults = {"workers": 16, "dontcache": 0, "inline_limit": 1 << 20}
    assert check_options(spec, {}) == defaults
    assert check_options(spec, {"workers": 3}) == {**defaults, "workers": 3}


@pytest.mark.parametrize(
    ("spec", "options", "hint"),
    [
        ("threads", {"worker": 3}, "no option 'worker': did you mean 'workers'"),
        ("nowait", {"inline-limit": 3}, "did you mean 'inline_limit'"),
        ("sync", {"workers": 3}, "engine 'sync' has no option 'workers': it has none"),
        ("threads", {"inline_limit": 4096}, "no option 'inline_limit': there are workers"),
        ("threads", {"workers": 0}, "workers is a whole number from 1 to 1024, not 0"),
        ("threads", {"workers": 1025}, "not 1025"),
        ("threads", {"workers": True}, "not True"),
        ("threads", {"workers": "4"}, "not '4'"),
        ("libaio", {"direct": 2}, "direct is false or true, not 2"),
        ("libaio", {"direct": "yes"}, "direct is false or true, not 'yes'"),
        ("nowait+libaio", {"direct": 1}, "no use for it behind 'nowait', but 'libaio' has it"),
        ("nowait", {"inline_limit": 1.5e6}, "from 4096 to 8388608, not 1500000.0"),
    ],
)
def test_a_wrong_option_names_what_would_be_right(
    spec: str, options: dict[str, int], hint: str
) -> None:
    with pytest.raises(ValueError, match=hint):
        aio.open_engine(spec, **options)


def test_every_default_may_be_given() -> None:
    for name in engine_names():
        for option in options_of(parse_spec(name)).values():
            assert option.minimum <= option.default <= option.maximum


async def test_the_first_engine_that_there_is_is_opened(no_uring: str) -> None:
    engine = aio.open_engine("nowait+uring,threads", workers=2)
    assert engine.name == "nowait+threads"
    assert engine.notes == (f"uring is not available: {no_uring}",)
    await engine.aclose()


def test_without_any_of_its_engines_a_spec_cannot_be_opened(no_uring: str) -> None:
    with pytest.raises(OSError, match=f"uring is not available: {no_uring}"):
        aio.open_engine("uring")


def test_checking_a_configuration_imports_neither_trio_nor_cffi() -> None:
    code = (
        "import sys, aio; aio.check_options(aio.parse_spec('nowait'), {});"
        "sys.exit(bool({'trio', 'cffi'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)


def test_every_public_name_is_there_and_no_other() -> None:
    for name in aio.__all__:
        assert getattr(aio, name) is not None
    with pytest.raises(AttributeError, match="'nonsense'"):
        aio.nonsense  # noqa: B018


def test_the_table_of_the_readme_is_the_catalogue() -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text()
    table = text.partition("\n## Engines\n")[2].strip().partition("\n\n")[0]
    assert table.splitlines() == [
        "| engine | a READ or WRITE of a file is done ... |",
        "|---|---|",
        f"| `{PROBE}` | {PROBE_HOW} |",
        *(f"| `{row.name}` | {row.how} |" for row in ENGINES.values()),
    ]


def test_every_row_says_all_that_is_asked_of_it() -> None:
    rows = ENGINES.values()
    for row in rows:
        assert all((row.how, row.requests, row.offered))
        assert bool(row.beside_direct) == row.takes("direct")
    for names in ({row.marker for row in rows}, {row.colour for row in rows}):
        assert len(names) == len(ENGINES)
