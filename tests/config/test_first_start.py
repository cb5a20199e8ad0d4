"""prepare() makes what the file asks for, once, and says so; it never guesses."""

import os
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from smbd import config
from smbd.config import Config, ConfigError, ShareConfig, UserConfig

FILE = """\
[users.me]
password_file = "deep/me.password"
generate = true
[shares.files]
path = "deep/files"
create = true
"""


def test_the_first_start_makes_folder_and_password_and_the_second_uses_them(tmp_path: Path) -> None:
    (tmp_path / "shares.toml").write_text(FILE)
    loaded = config.load(tmp_path / "shares.toml")
    assert loaded.users[0].password is None
    assert not (tmp_path / "deep").exists(), "load only reads"

    first = config.prepare(loaded)
    [user] = first.config.users
    assert user.password
    file = tmp_path / "deep/me.password"
    assert file.read_text() == f"{user.password}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (tmp_path / "deep/files").is_dir()
    assert any("folder" in note for note in first.notes)
    assert any(user.password in note for note in first.notes)

    again = config.load(tmp_path / "shares.toml")
    second = config.prepare(again)
    assert second.notes == ()
    assert second.config == again == first.config


def test_two_passwords_differ_and_can_be_typed() -> None:
    one, other = config.new_password(), config.new_password()
    assert one != other
    assert len(one) == 19
    assert not set("0o1il") & set(one)


def test_a_missing_folder_names_its_line(tmp_path: Path) -> None:
    file = tmp_path / "shares.toml"
    file.write_text("[shares.a]\nguest = true\npath = 'no'\n[shares.b]\npath = 'b'\nguest = true\n")
    (tmp_path / "b").write_text("a file")
    with pytest.raises(ConfigError) as caught:
        config.prepare(config.load(file))
    missing, no_folder = str(caught.value).splitlines()
    assert missing.startswith(f"{file}:3: shares.a.path: {tmp_path}/no: there is no such folder")
    assert no_folder == f"{file}:5: shares.b.path: {tmp_path}/b: is not a folder"


def test_what_cannot_be_made_is_a_problem_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "shares.toml").write_text(FILE)
    (tmp_path / "deep").write_text("in the way")
    loaded = config.load(tmp_path / "shares.toml")
    with pytest.raises(ConfigError) as caught:
        config.prepare(loaded)
    assert "users.me.password_file" in str(caught.value)
    assert "shares.files.path" in str(caught.value)


def test_a_configuration_made_in_code_has_no_lines(tmp_path: Path) -> None:
    made = Config(users=(UserConfig("a", nt_hash=bytes(16)),), shares=(ShareConfig("a", tmp_path),))
    assert config.prepare(made).config == made
    missing = Config(shares=(ShareConfig("a", tmp_path / "no"),))
    with pytest.raises(ConfigError, match=r"^/.*no: there is no such folder"):
        config.prepare(missing)


def test_the_password_file_is_never_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    link = tmp_path / "password"
    link.symlink_to(victim)
    made = Config(users=(UserConfig("a", password_file=link, generate=True),))
    with pytest.raises(ConfigError, match="File exists"):
        config.prepare(made)
    assert not victim.exists()


def test_the_runtime_directory_is_ours_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = config.runtime_directory()
    assert config.default_status_socket().parent == folder
    config.make_runtime_directory(folder)
    config.make_runtime_directory(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o777)
    with pytest.raises(PermissionError, match="nobody else"):
        config.make_runtime_directory(folder)


def test_a_link_is_no_runtime_directory(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(PermissionError):
        config.make_runtime_directory(tmp_path / "link")


def test_without_xdg_the_runtime_directory_is_in_the_temporary_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert config.runtime_directory().name.startswith("smbd-")


@pytest.mark.parametrize("lacking", [os.R_OK, os.X_OK])
def test_a_folder_that_this_user_may_not_read_cannot_be_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: int
) -> None:
    # Root may read everything, so the kernel's answer is given here.
    monkeypatch.setattr("os.access", lambda _, mode, **__: not mode & lacking)
    wrong = config.directory_problem(ShareConfig("a", tmp_path))
    assert wrong == f"{tmp_path}: this user may not read it"


def test_a_folder_that_this_user_may_not_write_is_served_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert config.directory_warning(ShareConfig("a", tmp_path)) is None
    monkeypatch.setattr("os.access", lambda _, mode, **__: not mode & os.W_OK)
    assert config.directory_problem(ShareConfig("a", tmp_path)) is None
    warning = config.directory_warning(ShareConfig("a", tmp_path))
    assert warning
    assert "set read_only = true" in warning
    assert config.directory_warning(ShareConfig("a", tmp_path, read_only=True)) is None
    assert warning is not None
    for told in (
        config.system_user(os.geteuid()),
        config.system_user(tmp_path.stat().st_uid),
        f"chown -R {os.geteuid()} {tmp_path}",
        "read_only = true",
    ):
        assert told in warning
    prepared = config.prepare(config.Config(shares=(ShareConfig("a", tmp_path),)))
    assert prepared.unwritable == {"a"}
    assert [one.message for one in prepared.config.warnings] == [warning]


@pytest.mark.parametrize("owner", [0, 1234])
def test_the_owner_of_a_folder_may_run_the_server_unless_it_is_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: int
) -> None:
    monkeypatch.setattr("os.access", lambda *_, **__: False)
    found = SimpleNamespace(st_uid=owner, st_gid=5, st_mode=0o40755)
    monkeypatch.setattr(Path, "stat", lambda _: found)
    warning = config.directory_warning(ShareConfig("a", tmp_path)) or ""
    assert ("run the server as user" in warning) == (owner != 0)
    assert ("--user 1234:5" in warning) == (owner == 1234)
    assert "mode 0755" in warning


def test_a_file_system_that_is_mounted_read_only_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_, **__: False)
    monkeypatch.setattr("os.statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY))
    warning = config.directory_warning(ShareConfig("a", tmp_path)) or ""
    assert "its file system is mounted read-only" in warning


def test_a_path_that_the_kernel_refuses_is_told(tmp_path: Path) -> None:
    wrong = config.directory_problem(ShareConfig("a", tmp_path / ("x" * 300)))
    assert wrong
    assert wrong.endswith("xx: File name too long")
