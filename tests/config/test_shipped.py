"""The shares.toml that comes with smbd works as it is, and documents every key with its default."""

import re
from pathlib import Path

import pytest

from aio import catalog
from smbd import config
from smbd.config import Address, Limits, ServerConfig, ShareConfig, schema

SHIPPED = Path(__file__).parents[2] / "shares.toml"

# Keys whose default is not a value to be written down, and whose comment is an example.
EXAMPLES = {"announce", "interfaces", "name", "state_directory", "status_socket", "metrics"}
EXAMPLES_OF_A_SHARE = {"users", "write", "read", "hide", "veto", "recycle", "recycle_except"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def section(header: str) -> str:
    """The text of one table, with its comments."""
    text = SHIPPED.read_text()
    match = re.search(
        rf"^#?\[{re.escape(header)}\]\n(.*?)(?=^#?\[|\Z)", text, re.MULTILINE | re.DOTALL
    )
    assert match, header
    return match[1]


def without(text: str, keys: set[str]) -> str:
    """The text without some keys."""
    return re.sub(rf"^#?({'|'.join(keys)}) = .*\n", "", text, flags=re.MULTILINE)


def uncommented(text: str) -> str:
    """The text with each commented-out key in force."""
    return re.sub(r"^#(?=[a-z_]+ = )", "", text, flags=re.MULTILINE)


def test_it_serves_on_a_fresh_machine_to_nobody_else(home: Path) -> None:
    served = config.prepare(config.load(SHIPPED)).config
    assert served.server.listen == (Address("127.0.0.1", 4450),)
    assert served.server.signing == "required"
    assert not served.guest
    assert [share.path for share in served.shares] == [home / "smbd-files", SHIPPED.parent / "smbd"]
    assert [share.read_only for share in served.shares] == [False, True]
    assert served.users[0].password


@pytest.mark.parametrize(
    ("header", "keys"),
    [
        ("server", schema.SERVER.keys() - {"limits"}),
        ("server.limits", schema.LIMITS.keys()),
        ("shares.example", schema.SHARE.keys() - {"engine_options"}),
    ],
)
def test_every_key_is_documented(header: str, keys: set[str]) -> None:
    documented = set(re.findall(r"^#?([a-z_]+) = ", section(header), re.MULTILINE))
    assert documented == keys


def test_every_key_of_a_user_is_documented() -> None:
    text = SHIPPED.read_text()
    users = text[text.index("# A user:") : text.index("# A share:")]
    for key in schema.USER:
        assert re.search(rf"^(#?{key} = |#   {key}  )", users, re.MULTILINE), key


def test_the_defaults_that_it_names_are_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "shares.toml"
    file.write_text(
        f"[server]\n{uncommented(section('server'))}"
        f"[server.limits]\n{uncommented(section('server.limits'))}"
        "[shares.a]\npath = '/'\nguest = true\n"
    )
    server = config.load(file).server
    assert server.limits == Limits()
    defaults = ServerConfig()
    for key in schema.SERVER.keys() - {"limits"} - EXAMPLES:
        assert getattr(server, key) == getattr(defaults, key), key


def test_the_defaults_of_a_share_are_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "shares.toml"
    file.write_text("[users.me]\npassword = 'x'\n[shares.example]\n")
    with file.open("a") as text:
        text.write(uncommented(without(section("shares.example"), EXAMPLES_OF_A_SHARE)))
    [share] = config.load(file).shares
    defaults = ShareConfig("example", Path("/srv/example"))
    for key in schema.SHARE.keys() - EXAMPLES_OF_A_SHARE:
        assert getattr(share, key) == getattr(defaults, key), key


def test_every_engine_option_is_documented_with_default_and_range() -> None:
    text = section("shares.example.engine_options")
    options = {
        option.name: option
        for group in (catalog.PROBE_OPTIONS, *(row.options for row in catalog.ENGINES.values()))
        for option in group
    }
    assert set(re.findall(r"^#([a-z_]+) = ", text, re.MULTILINE)) == options.keys()
    for name, option in options.items():
        default = str(bool(option.default)).lower() if option.is_switch else option.default
        assert f"#{name} = {default}\n" in text
        assert option.range in text


def test_every_engine_is_documented_as_the_catalogue_has_it() -> None:
    text = " ".join(re.sub(r"^# *", "", section("shares.example"), flags=re.MULTILINE).split())
    assert f'"{catalog.PROBE}": {catalog.PROBE_HOW}.' in text
    for row in catalog.ENGINES.values():
        assert f'"{row.name}": {row.how}.' in text
