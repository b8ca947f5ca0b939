"""A stack's folder and its permissions; interpretation of a server's last log lines."""

import os
from pathlib import Path

import pytest

from gpt4rec_es.errors import ConflictError, DependencyError, UsageError
from gpt4rec_es.stack import place
from gpt4rec_es.stack.account import Account
from gpt4rec_es.stack.diagnostics import PortTakenError, start_error


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("LOG: could not bind IPv4 address: Address already in use", "its port is taken"),
        ("java.net.BindException: Cannot assign", "its port is taken"),
        ("PANIC: could not write: No space left on device", "the disk is full"),
        ("unknown setting [xpack.ml.enabled] please check", "the setting 'xpack.ml.enabled'"),
        ("mmap failed: Cannot allocate memory", "too little memory"),
        ("starting\nFATAL:  data directory has wrong ownership.\nbye\n", "has wrong ownership."),
        ("only this\n", "only this."),
        ("", "no output."),
    ],
)
def test_a_log_becomes_one_line_with_the_way_out(tmp_path: Path, output: str, said: str) -> None:
    log = tmp_path / "server.log"
    for error in (start_error("X", log, output), _logged(log, output)):
        assert error.message.startswith("X did not start: ")
        assert said in str(error)
        assert "\n" not in str(error)
        assert error.hint
        assert isinstance(error, PortTakenError) is ("port" in said)


def _logged(log: Path, text: str) -> DependencyError:
    log.write_text(text)
    return start_error("X", log, "")


def test_a_folder_that_the_account_cannot_enter_is_refused_and_not_left(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    stranger = Account("stranger", 54321, 54321, switch=True)
    with pytest.raises(
        UsageError, match="Account 'stranger', which runs the servers, cannot enter"
    ):
        place.open_place(closed / "stack", stranger, 0)
    assert list(closed.iterdir()) == []


def test_a_folder_that_is_a_link_or_anothers_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = Account("me", os.geteuid(), os.getegid(), switch=False)
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(ConflictError, match="is a link or belongs to another account"):
        place.open_place(tmp_path / "link", me, 0)
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(ConflictError, match="belongs to another account"):
        place.open_place(tmp_path / "real", me, 0)


def test_a_folder_without_room_is_refused(tmp_path: Path) -> None:
    me = Account("me", os.geteuid(), os.getegid(), switch=False)
    with pytest.raises(DependencyError, match="Too little room") as caught:
        place.open_place(tmp_path / "new", me, 10**18)
    assert "--folder" in caught.value.hint


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    me = Account("me", os.geteuid(), os.getegid(), switch=False)
    with pytest.raises(UsageError, match="cannot be made: Not a directory"):
        place.open_place(tmp_path / "file" / "stack", me, 0)


def test_parents_that_are_made_may_be_passed_whatever_the_umask(tmp_path: Path) -> None:
    me = Account("me", os.geteuid(), os.getegid(), switch=False)
    before = os.umask(0o077)
    try:
        place.open_place(tmp_path / "a" / "b", me, 0)
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_the_folder_elsewhere_is_found_again_by_the_pointer(tmp_path: Path) -> None:
    checkout, elsewhere = tmp_path / "checkout", tmp_path / "elsewhere"
    checkout.mkdir()
    elsewhere.mkdir()
    place.remember_folder(checkout, elsewhere)
    assert place.default_folder(checkout) == elsewhere
    place.forget_folder(checkout)
    place.forget_folder(checkout)
    assert place.default_folder(checkout) != elsewhere
    place.remember_folder(checkout, tmp_path / "gone")
    assert place.default_folder(checkout) != tmp_path / "gone"


def test_the_folder_lies_in_the_checkout_where_the_servers_account_can_enter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = Account("me", os.geteuid(), os.getegid(), switch=False)
    monkeypatch.setattr(place, "server_account", lambda: me)
    assert place.default_folder(tmp_path) == tmp_path / ".stack"
    place.remember_folder(tmp_path, tmp_path / ".stack")
    assert list(tmp_path.iterdir()) == []
    stranger = Account("stranger", 54321, 54321, switch=True)
    tmp_path.chmod(0o700)
    monkeypatch.setattr(place, "server_account", lambda: stranger)
    outside = place.default_folder(tmp_path)
    assert tmp_path not in outside.parents
    assert place.default_folder(tmp_path) == outside


def test_an_accounts_reach_is_read_from_the_permission_bits(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    file = tmp_path / "file"
    file.write_text("")
    uid, gid = file.stat().st_uid, file.stat().st_gid
    owner = Account("owner", uid, gid, switch=True)
    member = Account("member", 54321, gid, switch=True)
    other = Account("other", 54321, 54321, switch=True)
    for mode, readers in (
        (0o640, {"owner", "member"}),
        (0o604, {"owner", "other"}),
        (0o600, {"owner"}),
    ):
        file.chmod(mode)
        readable = {account.name for account in (owner, member, other) if account._has(file, 4)}
        assert readable == readers | ({"owner"} if uid == 0 else set()), oct(mode)
