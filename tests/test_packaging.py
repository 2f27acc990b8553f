import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("server", "tools", "prompts")


def test_every_folder_with_code_is_listed_as_a_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found = {"corpuscope"}
    for top in FOLDERS:
        for file in (ROOT / top).rglob("*.py"):
            found.add("corpuscope." + ".".join(file.parent.relative_to(ROOT).parts))
    assert found == set(project["tool"]["setuptools"]["packages"])


def test_imports_run_from_server_to_tools_to_prompts_and_never_back() -> None:
    allowed = {"prompts": ("prompts",), "tools": ("tools", "prompts"), "server": FOLDERS}
    wrong = [
        f"{file.relative_to(ROOT)} imports {module}"
        for top, below in allowed.items()
        for file in (ROOT / top).rglob("*.py")
        for module in imported(file)
        if module.startswith("corpuscope.") and module.split(".")[1] not in below
    ]
    assert wrong == []


def test_one_module_owns_each_library() -> None:
    owners = {
        "pymilvus": {
            "tools/store/connection.py",
            "tools/store/lite_scan.py",
            "tools/store/scan.py",
            "tools/store/collections.py",
        },
        "openai": {
            "tools/llm/client.py",
            "tools/llm/completion.py",
            "tools/llm/embeddings.py",
        },
        "plotly": {"tools/plotting/interactive.py"},
        "umap": {"tools/clustering/projection.py"},
        "hdbscan": {"tools/clustering/layers.py"},
        "fast_hdbscan": {"tools/clustering/layers.py"},
    }
    for library, modules in owners.items():
        importing = {
            str(file.relative_to(ROOT))
            for top in FOLDERS
            for file in (ROOT / top).rglob("*.py")
            if any(belongs_to(name, library) for name in imported(file))
        }
        assert importing == modules, library


def test_modules_and_functions_stay_small() -> None:
    large = []
    for top in FOLDERS:
        for file in (ROOT / top).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            if text.count("\n") > 400:
                large.append(f"{file.relative_to(ROOT)} has {text.count(chr(10))} lines")
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    lines = (node.end_lineno or 0) - node.lineno + 1
                    if lines > 60 and not is_tool(file, node):
                        large.append(f"{file.relative_to(ROOT)} {node.name} has {lines} lines")
    assert large == []


def test_every_library_that_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = [project["dependencies"], *project["optional-dependencies"].values()]
    declared = {plain(re.split(r"[\[<>=]", line)[0]) for lines in required for line in lines}
    providers = importlib.metadata.packages_distributions()
    missing = {
        library
        for top in FOLDERS
        for file in (ROOT / top).rglob("*.py")
        for library in {name.split(".")[0] for name in imported(file)}
        if library not in sys.stdlib_module_names and library != "corpuscope"
        # An optional package that is not installed goes by the name under which it is imported.
        if not declared & {plain(name) for name in providers.get(library, [library])}
    }
    assert missing == set()


def plain(name: str) -> str:
    """A distribution's name as one may also write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def belongs_to(name: str, library: str) -> bool:
    """Whether a module is the library's; `pymilvus.model` is a distribution of its own."""
    return name.split(".")[0] == library and not name.startswith("pymilvus.model")


def is_tool(file: Path, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether this is the public function of a tool, whose many described parameters are flat."""
    return file.stem == node.name


def imported(file: Path) -> set[str]:
    """The modules that a file imports, at its top or inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in names if name}
