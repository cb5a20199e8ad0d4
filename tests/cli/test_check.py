"""`smbd check` touches every folder, and says what each share will really get."""

from pathlib import Path

import pytest

from smbd.cli import main


def check(folder: Path, text: str) -> int:
    file = folder / "shares.toml"
    file.write_text(text)
    file.chmod(0o600)
    return main(["check", "--config", str(file)])


def test_what_can_be_served_is_told_with_its_engine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = check(
        tmp_path,
        "[server]\nname = 'box'\n"
        "[users.ann]\npassword = 'hunter2'\n"
        f"[users.bob]\nnt_hash = '{'0' * 32}'\n"
        "[users.new]\npassword_file = 'pw'\ngenerate = true\n"
        "[shares.a]\npath = '.'\nengine = 'sync'\nguest = true\nhidden = true\n"
        "[shares.b]\npath = '.'\nengine = 'threads'\nread_only = true\nusers = ['bob']\n"
        "[shares.c]\npath = 'new'\ncreate = true\nencryption = 'required'\n",
    )
    assert status == 0
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert lines[0] == (
        "server BOX in WORKGROUP on 127.0.0.1:4450, signing required, encryption off"
    )
    assert "user ann: logs in with a password" in lines
    assert "user bob: logs in with the password of an nt_hash" in lines
    assert f"user new: the first start makes a password in {tmp_path}/pw" in lines
    assert f"a: {tmp_path} (read and write, for every user, and guests, hidden)" in lines
    assert f"b: {tmp_path} (read only, for bob)" in lines
    assert f"c: {tmp_path}/new (read and write, for every user, encryption required)" in lines
    assert "  reads: all block the event loop" in lines
    assert "  reads: all go to worker threads" in lines
    assert "  the first start makes this folder" in lines
    assert lines[-1] == "3 of 3 shares can be served."
    assert "hunter2" not in shown.out + shown.err
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "pw").exists()


def test_rights_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    users = "".join(f"[users.{name}]\npassword = 'x'\n" for name in ("ann", "bob"))
    shares = (
        "[shares.a]\npath = '.'\nwrite = ['ann']\n"
        "[shares.b]\npath = '.'\nread = ['bob']\n"
        "[shares.c]\npath = '.'\nwrite = ['ann']\nread = ['bob']\nguest = true\n"
    )
    assert check(tmp_path, users + shares) == 0
    lines = capsys.readouterr().out.splitlines()
    for told in (
        f"a: {tmp_path} (read and write for ann, read only for others, for every user)",
        f"b: {tmp_path} (read and write, read only for bob, for every user)",
        f"c: {tmp_path} (read and write for ann, read only for bob, and guests)",
    ):
        assert told in lines


def test_names_that_are_kept_back_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shares = "[shares.a]\npath = '.'\nguest = true\nveto = ['*.exe']\nhide = ['x', 'y']\n"
    shares += "recycle = '.recycle'\nrecycle_except = ['*.tmp']\nrecycle_days = 30\n"
    assert check(tmp_path, shares) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  neither seen nor made: *.exe" in lines
    assert "  shown as hidden: x, y" in lines
    assert "  deleted and replaced files are kept in .recycle for 30 days, but *.tmp" in lines


def test_homes_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    users = "".join(f"[users.{name}]\npassword = 'x'\n" for name in ("ann", "bob", "carl"))
    (tmp_path / "homes/ann").mkdir(parents=True)
    shares = (
        "[shares.a]\npath = 'homes/{user}'\nusers = ['ann', 'bob']\n"
        "[shares.b]\npath = 'homes/{user}'\ncreate = true\n"
        "[shares.c]\npath = 'new/{user}'\ncreate = true\n"
    )
    assert check(tmp_path, users + shares) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"a: {tmp_path}/homes/{{user}} (read and write, for ann, bob)" in lines
    assert lines.count("  homes: ann") == 2
    assert "  no homes yet, they cannot connect: bob" in lines
    assert "  no homes yet, made when they connect: bob, carl" in lines
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "homes/bob").exists()


def test_a_share_that_is_watched_says_by_what(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smbd.vfs.watches.describe", lambda path: f"as {path} can")
    shares = "[shares.a]\npath = '.'\n[shares.b]\npath = '.'\nwatch = false\n"
    assert check(tmp_path, f"[server]\nwatch = true\n[users.ann]\npassword = 'x'\n{shares}") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines.count(f"  other programs' changes: as {tmp_path} can") == 1


def test_a_share_says_what_its_clients_lack_and_what_outlives_a_restart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smbd.vfs.volume.has_user_attributes", lambda _: False)
    shares = "[shares.a]\npath = '.'\nleases = false\n[shares.b]\npath = '.'\ncontinuous = true\n"
    text = f"[server]\nstate_directory = 'state'\n[users.ann]\npassword = 'x'\n{shares}"
    assert check(tmp_path, text) == 0
    shown = capsys.readouterr().out
    assert shown.count("  no named streams, EAs and access lists: ") == 2
    assert shown.count("  clients cache nothing\n") == 1
    assert shown.count(f"  open files outlive a restart, by records in {tmp_path}/state\n") == 1


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("interfaces = ['lo']", "multichannel: clients are told of 127.0.0.1"),
        ("interfaces = ['eth77']", "multichannel: clients are told of no interface"),
        ("listen = ['localhost:445']", "multichannel: clients are told of no interface"),
        ("multichannel = false", "multichannel off"),
    ],
)
def test_the_interfaces_that_clients_are_told_of_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], keys: str, said: str
) -> None:
    check(tmp_path, f"[server]\n{keys}\n[shares.a]\npath = '.'\nguest = true\n")
    assert said in capsys.readouterr().out.splitlines()


def test_the_kernels_offers_are_shown_with_their_reasons(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(tmp_path, "[shares.a]\npath = '.'\nguest = true\n")
    shown = capsys.readouterr().out
    for name in ("sync", "threads", "RWF_NOWAIT", "openat2"):
        assert f"  {name:<12} " in shown


def test_a_folder_that_cannot_be_served_fails_the_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = check(
        tmp_path,
        "[shares.a]\npath = 'no'\nguest = true\n[shares.b]\npath = '.'\nguest = true\n"
        "[shares.c]\npath = 'shares.toml'\nguest = true\n",
    )
    assert status == 1
    shown = capsys.readouterr().out
    assert f"  ERROR: {tmp_path}/no: there is no such folder" in shown
    assert f"  ERROR: {tmp_path}/shares.toml: is not a folder" in shown
    assert shown.endswith("1 of 3 shares can be served.\n")


def test_a_folder_that_cannot_be_written_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smbd.cli.check.directory_warning", lambda _: "may not write")
    assert check(tmp_path, "[shares.a]\npath = '.'\nguest = true\n") == 0
    assert "  warning: may not write" in capsys.readouterr().out


def test_a_wrong_file_fails_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path, "[shares.a]\npth = '/'\nguest = true\n") == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert f'{tmp_path}/shares.toml:2: shares.a.pth: unknown key; did you mean "path"?' in shown.err


def test_warnings_of_the_file_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "shares.toml"
    file.write_text("[users.a]\npassword = 'x'\n[shares.a]\npath = '.'\n")
    file.chmod(0o644)
    assert main(["check", "--config", str(file)]) == 0
    assert f"warning: {file}:1: users.a: everybody on this machine" in capsys.readouterr().err
