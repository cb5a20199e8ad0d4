"""The catalogue: specs and options, checked without trio or cffi."""

import subprocess
import sys
from pathlib import Path

import pytest

import aio
from aio.catalog import ENGINES, check_options, engine_names, options_of, parse_spec


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("sync", "sync"),
        ("threads", "threads"),
        ("nowait", "nowait+threads"),
        ("nowait+threads", "nowait+threads"),
        ("nowait+sync", "nowait+sync"),
    ],
)
def test_a_spec_has_one_name(text: str, name: str) -> None:
    assert str(parse_spec(text)) == name
    assert aio.open_engine(text).name == name


def test_every_name_that_is_offered_opens() -> None:
    assert {parse_spec(name).engine for name in engine_names()} == set(ENGINES)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("thread", "did you mean 'threads'"),
        ("nowait+thread", "did you mean 'nowait+threads'"),
        ("", "there are nowait, "),
        ("nowait+", "did you mean 'nowait"),
        ("+sync", "did you mean '"),
        ("xyz", "there are nowait, nowait+sync, nowait+threads, sync, threads"),
    ],
)
def test_a_wrong_spec_names_what_would_be_right(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match="there is no engine") as caught:
        parse_spec(text)
    assert hint in str(caught.value)


def test_options_left_out_have_their_defaults() -> None:
    spec = parse_spec("nowait")
    assert set(options_of(spec)) == {"workers", "inline_limit"}
    assert check_options(spec, {}) == {"workers": 16, "inline_limit": 1 << 20}
    assert check_options(spec, {"workers": 3}) == {"workers": 3, "inline_limit": 1 << 20}


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
        ("nowait", {"inline_limit": 1.5e6}, "from 4096 to 8388608, not 1500000.0"),
    ],
)
def test_a_wrong_option_names_what_would_be_right(
    spec: str, options: dict[str, int], hint: str
) -> None:
    with pytest.raises(ValueError, match=hint):
        aio.open_engine(spec, **options)


def test_every_option_says_what_it_does() -> None:
    for name in engine_names():
        for option in options_of(parse_spec(name)).values():
            assert option.minimum <= option.default <= option.maximum
            assert len(option.doc) > 20


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
