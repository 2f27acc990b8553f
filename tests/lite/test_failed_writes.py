"""Milvus Lite where a file may not grow, which is to it what a full disk is; then it may again."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, TypeAlias

import pytest

Said: TypeAlias = dict[str, dict[str, Any]]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="files are limited by setrlimit")

FIRST = {
    "half a batch": """
        collection = indexed("x")
        collection.insert(rows(0, 1000))
        limit(40_000)
        said["insert"] = refused(collection.insert, rows(1000, 3000))
        said["delete"] = refused(collection.delete, [f"k{i}" for i in range(1000)] * 3)
        said["meanwhile"] = count(collection)
        limit()
        collection.insert(rows(3000, 3500))
        collection.delete(["k0"])
        """,
    "no flush": """
        collection = indexed("x")
        collection.insert(rows(0, 1000))
        limit(2_000)
        said["flush"] = refused(collection.flush)
        said["meanwhile"] = count(collection)
        said["orphans"] = len(list(home.rglob("*.parquet")))
        limit()
        collection.insert(rows(1000, 1500))
        collection.flush()
        """,
    "no manifest": """
        collection = indexed("x")
        collection.insert(rows(0, 3))
        aside = home / "collections/x/manifest.json.tmp"
        aside.mkdir()
        said["flush"] = refused(collection.flush)
        said["meanwhile"] = count(collection)
        said["files"] = sum(map(len, collection._manifest.get_all_data_files().values()))
        aside.rmdir()
        collection.flush()
        collection.insert(rows(3, 5))
        """,
    "an old log in the way": """
        collection = indexed("x")
        collection.insert(rows(0, 3))
        in_the_way = home / "collections/x/wal/wal_data_000000.arrow"
        in_the_way.mkdir()
        collection.flush()
        said["meanwhile"] = count(collection)
        said["found"] = len(collection.search([[1.0] * 8], top_k=10)[0])
        in_the_way.rmdir()
        collection.insert(rows(3, 5))
        """,
    "half a collection": """
        limit(10)
        said["make"] = refused(made, "x")
        limit()
        (home / "collections" / "x").mkdir()  # as a kill in the middle leaves it
        indexed("x").insert(rows(0, 5))
        """,
    "no room at all": """
        kept, dropped = indexed("x"), indexed("y")
        kept.insert(rows(0, 1000))
        dropped.insert(rows(0, 1000))
        limit(10)
        database.drop_collection("y")
        said["there"] = database.list_collections()
        database.close()
        """,
    "for reading": """
        collection = indexed("x")
        collection.insert(rows(0, 1000))
        collection.flush()
        """,
}
"""What happens first, by the name of its home; then the process ends without closing anything."""

THEN = """
    limit(10 if home.name == "for reading" else resource.RLIM_INFINITY)
    collection = database.get_collection("x")
    collection.load()
    said["rows"] = count(collection)
    said["found"] = len(collection.search([[1.0] * 8], top_k=10)[0])
    limit()
    collection.flush()
    said["flushed"] = count(collection)
    """

PROCESS = """
    import json, os, resource, sys
    from pathlib import Path
    from milvus_lite.schema.types import CollectionSchema, DataType, FieldSchema
    from corpuscope.tools.lite.failed_writes import open_database

    def limit(size=resource.RLIM_INFINITY):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def made(name):
        fields = [
            FieldSchema(name="id", dtype=DataType.VARCHAR, is_primary=True, max_length=64),
            FieldSchema(name="vector", dtype=DataType.FLOAT_VECTOR, dim=8),
        ]
        return database.create_collection(name, CollectionSchema(fields=fields))

    def indexed(name):
        collection = made(name)
        collection.create_index("vector", {"index_type": "FLAT", "metric_type": "COSINE"})
        collection.load()
        return collection

    def rows(first, last):
        return [{"id": f"k{i}", "vector": [i + j + 1.0 for j in range(8)]}
                for i in range(first, last)]

    def refused(write, *arguments):
        try:
            write(*arguments)
        except OSError:
            return True
        return False

    def count(collection):
        return len(collection.query("", output_fields=["id"]))

    all_said = {}
    for name, script in json.loads(sys.argv[2]).items():
        home = Path(sys.argv[1], name)
        database, said = open_database(home), {}
        exec(script)
        limit()
        all_said[name] = said
    print(json.dumps(all_said), flush=True)
    os._exit(0)  # a kill: nothing is closed
    """


def run(folder: Path, scripts: dict[str, str]) -> Said:
    """What each script says; all run in one process, each in a home of its own."""
    plain = {name: textwrap.dedent(script) for name, script in scripts.items()}
    command = [sys.executable, "-c", textwrap.dedent(PROCESS), str(folder), json.dumps(plain)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said: Said = json.loads(done.stdout)
    return said


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(scope="module")
def first(folder: Path) -> Said:
    """What was seen while no file might grow."""
    return run(folder, FIRST)


@pytest.fixture(scope="module")
def then(folder: Path, first: Said) -> Said:
    """What the next process finds in the same homes."""
    return run(folder, dict.fromkeys(FIRST, THEN))


def test_a_batch_that_did_not_fit_takes_no_later_one_with_it(first: Said, then: Said) -> None:
    assert first["half a batch"] == {"insert": True, "delete": True, "meanwhile": 1000}
    assert then["half a batch"] == {"rows": 1499, "flushed": 1499, "found": 10}


def test_what_cannot_be_flushed_stays_readable_and_is_flushed_later(
    first: Said, then: Said
) -> None:
    assert first["no flush"] == {"flush": True, "meanwhile": 1000, "orphans": 0}
    assert then["no flush"] == {"rows": 1500, "flushed": 1500, "found": 10}


def test_a_list_of_files_that_cannot_be_saved_is_not_changed_in_memory_either(
    first: Said, then: Said
) -> None:
    assert first["no manifest"] == {"flush": True, "meanwhile": 3, "files": 0}
    assert then["no manifest"] == {"rows": 5, "flushed": 5, "found": 5}


def test_what_is_in_a_file_by_now_is_read_there_although_the_flush_did_not_end(
    first: Said, then: Said
) -> None:
    assert first["an old log in the way"] == {"meanwhile": 3, "found": 3}
    assert then["an old log in the way"] == {"rows": 5, "flushed": 5, "found": 5}


def test_a_collection_is_made_whole_or_not_at_all(first: Said, then: Said) -> None:
    assert first["half a collection"] == {"make": True}
    assert then["half a collection"] == {"rows": 5, "flushed": 5, "found": 5}


def test_dropping_a_collection_and_closing_need_no_space(first: Said, then: Said) -> None:
    assert first["no room at all"] == {"there": ["x"]}
    assert then["no room at all"] == {"rows": 1000, "flushed": 1000, "found": 10}


def test_opening_for_reading_writes_no_copy_of_the_vectors(then: Said, folder: Path) -> None:
    assert then["for reading"] == {"rows": 1000, "flushed": 1000, "found": 10}
    assert not list(folder.rglob("*.idx"))
