"""What goes into the wheel, and what it says that it needs."""

import importlib.metadata
import re
import sys
import tomllib
from typing import Any

from test_house import PRODUCT, ROOT, imported, sources

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_folder_with_code_is_listed_as_a_package() -> None:
    folders = {file.parent.relative_to(ROOT).parts for file in sources(*PRODUCT, "skills")}
    packages = {"corpuscope"} | {".".join(("corpuscope", *parts)) for parts in folders}
    assert packages == set(PROJECT["tool"]["setuptools"]["packages"])


def test_files_that_are_no_code_are_listed_as_data_of_their_package() -> None:
    given = PROJECT["tool"]["setuptools"]["package-data"]
    for top in (*PRODUCT, "skills"):
        for file in (ROOT / top).rglob("*"):
            if file.is_dir() or "__pycache__" in file.parts or file.suffix == ".py":
                continue
            package = next(above for above in file.parents if (above / "__init__.py").is_file())
            name = ".".join(("corpuscope", *package.relative_to(ROOT).parts))
            inside = file.relative_to(package)
            assert any(inside.match(form) for form in [*given["*"], *given.get(name, [])]), file


def test_the_folders_on_top_are_linked_into_no_other_folder_that_is_committed() -> None:
    package = ROOT / "src" / "corpuscope"
    assert {file.name for file in package.iterdir() if file.is_symlink() or file.is_dir()} <= {
        "__pycache__"
    }


def test_every_library_that_is_imported_is_declared() -> None:
    needs = PROJECT["project"]
    required = [needs["dependencies"], *needs["optional-dependencies"].values()]
    declared = {plain(re.split(r"[\[<>=]", line)[0]) for lines in required for line in lines}
    providers = importlib.metadata.packages_distributions()
    missing = {
        library
        for file in sources(*PRODUCT)
        for library in {module.split(".")[0] for module in imported(file)}
        if library not in sys.stdlib_module_names and library != "corpuscope"
        # An optional package that is not installed goes by the name under which it is imported.
        if not declared & {plain(name) for name in providers.get(library, [library])}
    }
    assert missing == set()


def test_the_licence_is_whole_and_named_in_the_metadata() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert (PROJECT["project"]["license"], PROJECT["project"]["license-files"]) == (
        "Apache-2.0",
        ["LICENSE"],
    )
    sections = re.findall(r"^   (\d)\. \w", text, re.MULTILINE)
    assert sections == list("123456789")
    assert "END OF TERMS AND CONDITIONS" in text


def plain(name: str) -> str:
    """A distribution's name as one may also write it."""
    return re.sub(r"[-_.]+", "-", name).lower()
