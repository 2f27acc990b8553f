"""Who may look into a home, and what a start clears up."""

import subprocess
import sys
from pathlib import Path

import pytest
from archive.test_runs import members, run

from corpuscope.server.home import open_home
from corpuscope.server.settings import open_workspace, read_settings
from corpuscope.tools.archive.runs import Runs
from corpuscope.tools.workspace.workspace import Workspace


@pytest.fixture
def opened(tmp_path: Path) -> Workspace:
    """A workspace on a home that others may read, as older versions left it."""
    home = tmp_path / "home"
    for folder in (home / "runs", home / "milvus.db"):
        folder.mkdir(parents=True)
        folder.chmod(0o755)
    home.chmod(0o755)
    return open_workspace(read_settings(_env_file=None, home=home, allowed_dirs=(tmp_path,)))


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_others_are_kept_out_of_a_home_and_told_to_the_log(
    opened: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        open_home(opened)
    assert mode(opened.home) == 0o700
    assert f"others on this machine could enter {opened.home}: no longer" in caplog.text
    caplog.clear()
    open_home(opened)
    assert caplog.text == ""


def test_a_folder_that_holds_more_than_a_home_stays_open_but_for_what_is_ours(
    opened: Workspace,
) -> None:
    (opened.home / "project").mkdir(mode=0o755)
    open_home(opened)
    assert (mode(opened.home), mode(opened.home / "project")) == (0o755, 0o755)
    assert mode(opened.home / "runs") == mode(opened.home / "milvus.db") == 0o700


def test_a_start_finishes_the_deletion_of_a_run(opened: Workspace) -> None:
    runs = Runs(opened.home / "runs")
    runs.save(run(), members())
    folder = runs.folder("shop", "r1")
    folder.rename(folder.with_name("deleted-r1"))
    open_home(opened)
    assert list((opened.home / "runs" / "shop" / "deleted-r1").iterdir()) == []


def test_what_a_server_and_its_children_write_is_for_this_user_alone(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys; from corpuscope.tools.core.files import write_privately; "
        "write_privately(); home = pathlib.Path(sys.argv[1]); "
        "(home / 'a' / 'b').mkdir(parents=True); "
        "(home / 'a' / 'c').write_text(''); os.system(f'touch {home}/d')"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    modes = [mode(tmp_path / name) for name in ("a", "a/b", "a/c", "d")]
    assert modes == [0o700, 0o700, 0o600, 0o600]
