from pathlib import Path

import pytest
from support.file_rows import Read, write_and_read


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Writes the content under the name and reads all its rows."""
    return lambda name, content: write_and_read(tmp_path / name, content)
