import os
from pathlib import Path

import pytest

from corpuscope.tools.core.errors import BadInput, NotAllowed, NotFound
from corpuscope.tools.workspace.file_access import FileAccess


@pytest.fixture
def access(tmp_path: Path) -> FileAccess:
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "texts.csv").write_text("text\nhello\n", encoding="utf-8")
    (tmp_path / "secret.csv").write_text("text\nsecret\n", encoding="utf-8")
    return FileAccess(tmp_path / "home", (inside.resolve(),), max_bytes=100)


def test_a_file_in_an_allowed_folder_is_found_by_either_name(access: FileAccess) -> None:
    file = access.allowed[0] / "texts.csv"
    assert access.readable("texts.csv") == file
    assert access.readable(str(file)) == file


@pytest.mark.parametrize(
    "name", ["../secret.csv", "/etc/passwd", "/proc/self/environ", "~/.ssh/id"]
)
def test_a_file_outside_is_refused_with_the_allowed_folders(access: FileAccess, name: str) -> None:
    with pytest.raises(NotAllowed, match="Allowed: .*inside.*CORPUSCOPE_ALLOWED_DIRS"):
        access.readable(name)


@pytest.mark.parametrize(
    "name",
    [
        "/mnt/user-data/uploads/airline tweets.csv",
        "/mnt/data/reviews.csv",
        "sandbox:/mnt/data/reviews.csv",
        "attachment://reviews.csv",
        "file-AbCdEf123456",
    ],
)
def test_a_file_dropped_into_a_chat_is_told_as_such_with_what_to_do(
    access: FileAccess, name: str
) -> None:
    with pytest.raises((NotAllowed, NotFound)) as refusal:
        access.readable(name)
    said = str(refusal.value)
    assert "dropped into the chat" in said and "can never read" in said
    assert str(access.allowed[0]) in said and "`rows`" in said


def test_a_web_address_is_no_file_and_a_file_url_is_one(access: FileAccess) -> None:
    with pytest.raises(NotFound, match="address on the web.*download it into one of: .*inside"):
        access.readable("https://example.org/texts.csv")
    file = access.allowed[0] / "texts.csv"
    assert access.readable(f"file://{file}") == file


def test_a_folder_that_is_called_like_a_chats_is_read_where_it_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "file-AbCdEf123456.csv").write_text("text\nhello\n", encoding="utf-8")
    access = FileAccess(tmp_path / "home", (tmp_path.resolve(),), max_bytes=100)
    assert access.readable("file-AbCdEf123456.csv").name == "file-AbCdEf123456.csv"


def test_a_link_that_leads_outside_is_refused(access: FileAccess) -> None:
    link = access.allowed[0] / "link.csv"
    link.symlink_to(access.allowed[0].parent / "secret.csv")
    with pytest.raises(NotAllowed):
        access.readable("link.csv")


def test_whether_a_forbidden_file_exists_is_not_told(access: FileAccess) -> None:
    messages = []
    for name in ("../secret.csv", "../nothing.csv"):
        with pytest.raises(NotAllowed) as refusal:
            access.readable(name)
        messages.append(str(refusal.value).replace(name, "NAME"))
    assert messages[0] == messages[1]


def test_a_missing_file_is_answered_with_its_neighbours(access: FileAccess) -> None:
    with pytest.raises(NotFound, match="In that folder: texts.csv"):
        access.readable("text.csv")


def test_a_pipe_is_refused_rather_than_waited_for(access: FileAccess) -> None:
    os.mkfifo(access.allowed[0] / "pipe.csv")
    with pytest.raises(BadInput, match="no regular file"):
        access.readable("pipe.csv")


def test_a_file_over_the_limit_is_refused_with_both_sizes(access: FileAccess) -> None:
    (access.allowed[0] / "large.csv").write_text("x" * 101, encoding="utf-8")
    with pytest.raises(BadInput, match="101 bytes; the limit is 100"):
        access.readable("large.csv")


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_a_name_that_is_none_is_refused(access: FileAccess, name: str) -> None:
    with pytest.raises(BadInput, match="empty or has a NUL"):
        access.readable(name)


def test_writing_makes_the_folder_and_stays_inside(access: FileAccess) -> None:
    assert access.writable("maps/new.html").parent.is_dir()
    with pytest.raises(NotAllowed):
        access.writable("../new.html")
    with pytest.raises(BadInput, match="is a folder"):
        access.writable("maps")
