"""`tsmbd serve` of a folder that is made first: --content, --memory, --preset; `tsmbd presets`."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from smbd.cli import UsageError, main, make_parser
from smbd.cli.filling import filled
from smbd.cli.serve import configuration
from smbd.config import Config
from smbd.content import read_tree
from smbd.presets import PRESETS

CONTENT = {"a": {"b.txt": "text"}}


@pytest.fixture
def content(tmp_path: Path) -> str:
    path = tmp_path / "content.json"
    path.write_text(json.dumps(CONTENT))
    return str(path)


def asked(*words: str) -> tuple[Config, Any]:
    """The configuration and what is in its first share."""
    arguments = make_parser().parse_args(["serve", *words])
    with filled(arguments) as own:
        config = configuration(own)
        return config, read_tree(config.shares[0].path)


def test_a_folder_takes_the_content(tmp_path: Path, content: str) -> None:
    (served := tmp_path / "served").mkdir()
    config, found = asked(str(served), "--content", content)
    assert found == CONTENT
    assert config.shares[0].path == served
    assert read_tree(served) == CONTENT, "it stays"


def test_without_a_folder_it_is_in_memory_and_gone_at_the_end(content: str) -> None:
    config, found = asked("--content", content)
    assert found == CONTENT
    assert config.shares[0].name == "share"
    assert not config.shares[0].path.exists()
    assert asked("--memory")[1] == {}
    assert asked("--memory", "--share-name", "mem")[0].shares[0].name == "mem"


def test_a_preset_sets_what_the_words_do_not() -> None:
    config, _ = asked("--preset", "old-nas")
    assert (config.server.max_dialect, config.server.signing) == (0x0202, "enabled")
    assert config.server.limits.max_read == 65536
    config, _ = asked("--preset", "old-nas", "--signing", "required", "--user", "ann")
    assert (config.server.signing, config.users[0].name) == ("required", "ann")


def test_a_preset_has_its_content_and_its_shares() -> None:
    config, found = asked("--preset", "many-shares")
    assert len(config.shares) == 51
    assert found["share07"] == {"name.txt": "share07\n"}
    assert config.shares[7].path == config.shares[0].path / "share07"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--preset", "old"], 'preset: there is no "old"'),
        (["--memory", "much"], 'must be a number of bytes, or like "64 MiB", not "much"'),
        (["--memory", "1"], "must be 65536 at least, not 1"),
        (["{tmp}", "--memory", "64MiB"], "the folder is a new one in memory"),
        (["{tmp}", "--preset", "full"], 'preset "full": the folder is a new one in memory'),
        (["--preset", "encrypted", "--guest"], "--preset encrypted: shares.share.guest: guests"),
        (["--content", "{tmp}/none.json"], "none.json: No such file or directory"),
        (["--content", "{tmp}/bad.json"], "bad.json: a: must be a text or an object, not a number"),
        (["{tmp}", "--content", "{tmp}/twice.json"], "bad.json is there already, and it stays"),
        (["--config", "x.toml", "--memory"], "--config excludes --content, --memory and --preset"),
        (["{tmp}/nowhere", "--memory"], "there is no such folder"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.json").write_text('{"a": 3}')
    (tmp_path / "twice.json").write_text('{"bad.json": "x"}')
    assert main(["serve", *(word.format(tmp=tmp_path) for word in words)]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_words_without_a_folder_still_need_one() -> None:
    with pytest.raises(UsageError, match="needs DIR"):
        configuration(make_parser().parse_args(["serve", "--guest"]))


def test_presets_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for preset in PRESETS.values():
        assert f"{preset.name}  " in "\n".join(lines)
    assert max(map(len, lines)) <= 110


def test_a_preset_says_what_it_sets(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets", "old-nas"]) == 0
    settings = tomllib.loads(capsys.readouterr().out)
    assert settings["server"]["max_dialect"] == "2.0.2"
    assert settings["server"]["limits"]["max_read"] == 65536
    assert settings["shares"]["share"] == {"streams": False}
    for preset in PRESETS.values():
        assert main(["presets", preset.name]) == 0
        shown = capsys.readouterr().out
        assert preset.line in shown
        assert tomllib.loads(shown) is not None
        assert all(rule in shown for rule in preset.faults)
    assert main(["presets", "old"]) == 2
    assert 'there is no "old"' in capsys.readouterr().err
