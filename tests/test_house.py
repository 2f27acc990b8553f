"""The house: which room may know which, how large things are, and which module owns what.

Each test is one rule, read off the sources; its message names the file that breaks it.
"""

import ast
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pytest

from corpuscope.server.app import TOOLS

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
WINGS = {folder.parent.name: folder.parent for folder in (ROOT / "tools").glob("*/__init__.py")}
PRODUCT = ("server", "tools", "prompts")

MOST_FILES, MOST_CORE_FILES = 14, 12
MOST_LINES, MOST_FUNCTION_LINES, MOST_PARAMETERS = 400, 60, 6
FEWEST_USERS_OF_CORE = 3

LEAF = {"core"}
BELOW_TASKS = {
    *("archive", "store", "llm", "geometry", "clustering", "analysis", "plotting", "embedding"),
    *("readers", "tables"),
    *LEAF,
    "prompts",
}
TASKS = {
    *("ingestion", "runs", "describing", "editing", "schemes", "contrasting", "exports"),
    "counting",
}
BELOW_TOOLS = {*BELOW_TASKS, "workspace", *TASKS}
MAY_IMPORT = {
    "core": set[str](),
    "prompts": set[str](),
    "lite": LEAF,
    "archive": LEAF,
    "tables": LEAF,
    "store": {*LEAF, "lite", "archive", "tables"},
    "llm": LEAF,
    "readers": LEAF,
    "geometry": LEAF,
    "clustering": {*LEAF, "geometry"},
    "analysis": LEAF,
    "plotting": LEAF,
    "embedding": {*LEAF, "llm"},
    "workspace": BELOW_TASKS,
    "ingestion": {*BELOW_TASKS, "workspace"},
    "runs": {*BELOW_TASKS, "workspace"},
    "describing": {*BELOW_TASKS, "workspace"},
    "editing": {*BELOW_TASKS, "workspace", "runs"},
    "schemes": {*BELOW_TASKS, "workspace"},
    "contrasting": {*BELOW_TASKS, "workspace"},
    "exports": {*BELOW_TASKS, "workspace", "describing"},
    "counting": {*BELOW_TASKS, "workspace"},
    "tools": BELOW_TOOLS,
    "server": {*BELOW_TOOLS, "tools"},
    "bench": {*BELOW_TOOLS, "tools", "server"},
}
"""What each room may import beside itself; `tools` is the tool modules, which import no other."""

OWNERS = {
    "PIL": {"tools/plotting/static.py"},
    "charset_normalizer": {"tools/readers/encodings.py"},
    "evoc": {"tools/geometry/graph.py"},
    "faiss": {"tools/geometry/graph.py"},
    "fast_hdbscan": {"tools/clustering/layers.py"},
    "filelock": {"tools/store/locks.py"},
    "ftfy": {"tools/analysis/terms.py", "tools/ingestion/mojibake.py"},
    "grpc": {"tools/lite/server.py", "tools/lite/service.py", "tools/store/connection.py"},
    "hdbscan": {"tools/clustering/layers.py"},
    "httpx2": {"tools/llm/client.py", "tools/llm/rate_limit.py"},
    "huggingface_hub": {"tools/embedding/hub_fetch.py"},
    "jinja2": {"tools/exports/report_pages.py"},
    "langcodes": {"tools/analysis/language.py"},
    "markupsafe": {"tools/exports/report_pages.py"},
    "matplotlib": {"tools/plotting/static.py"},
    "milvus_lite": {
        "tools/lite/failed_writes.py",
        "tools/lite/answers.py",
        "tools/lite/insert.py",
        "tools/lite/live.py",
        "tools/lite/server.py",
        "tools/lite/service.py",
    },
    "model2vec": {"tools/embedding/model2vec.py"},
    "numba": {"tools/geometry/knn.py", "tools/geometry/node_embedding.py"},
    "onnxruntime": {"tools/embedding/onnx.py"},
    "openai": {"tools/llm/client.py", "tools/llm/completion.py", "tools/llm/embeddings.py"},
    "openpyxl": {"tools/exports/workbooks.py", "tools/readers/sheets.py"},
    "orjson": {"tools/ingestion/records.py", "tools/lite/live.py"},
    "phonenumbers": {"tools/core/redaction.py"},
    "platformdirs": {"server/settings.py"},
    "plotly": {"tools/plotting/interactive.py"},
    "psutil": {"server/settings.py", "server/worker_process.py", "tools/lite/server.py"},
    "py3langid": {"tools/analysis/language.py"},
    "pyarrow": {
        "tools/archive/members.py",
        "tools/exports/record_columns.py",
        "tools/exports/record_files.py",
        "tools/lite/insert.py",
        "tools/lite/live.py",
        "tools/readers/parquet_files.py",
        "tools/tables/table.py",
    },
    "pydantic_settings": {"server/settings.py"},
    "pymilvus": {
        "tools/store/collections.py",
        "tools/lite/answers.py",
        "tools/lite/service.py",
        "tools/store/connection.py",
        "tools/store/rows.py",
        "tools/store/scan.py",
    },
    "pymilvus.model": {"tools/embedding/torch_models.py"},
    "safetensors": {"tools/embedding/word_vectors.py"},
    "sentence_transformers": {"tools/embedding/torch_models.py"},
    "stdnum": {"tools/core/redaction.py"},
    "tokenizers": {"tools/embedding/onnx.py", "tools/embedding/word_vectors.py"},
    "stopwordsiso": {"tools/analysis/stop_words.py"},
    "torch": {"tools/embedding/torch_models.py"},
    "umap": {"tools/geometry/projection.py"},
    "yaml": {"tools/schemes/codebook.py"},
}
SHARED = {
    *("anyio", "mcp", "numpy", "pydantic", "scipy", "sklearn", "threadpoolctl"),
    "typing_extensions",
}
"""Libraries that are a language of the field, or of the server: whoever needs them imports them."""

DOORS = {
    "tools/core/redaction.py": "says what personal data become",
    "tools/core/redaction_patterns.py": "says what they look like",
    "tools/core/masking.py": "keywords are counted in texts masked after they are redacted",
    "tools/core/excerpts.py": "metadata values that need their column's name",
    "tools/analysis/keywords.py": "keywords are counted in redacted texts",
    "tools/ingestion/records.py": "a row of a file is quoted, before it is cut",
    "tools/describing/gathering.py": "a prompt is filled",
    "tools/describing/prompting.py": "a prompt is filled",
    "tools/embedding/remote.py": "texts leave for an endpoint",
    "tools/workspace/selection.py": "a selection is loaded",
    "server/adapter.py": "a result leaves",
    "server/argument_errors.py": "a wrong argument is quoted",
    "server/resources.py": "a page leaves",
    "server/settings.py": "chooses whether",
}
"""The modules that may call redaction, and why there."""

HOUSE_TESTS = {"test_house.py", "test_packaging.py", "test_documents.py"}
CLOCKS = {
    "time": {"monotonic", "perf_counter", "process_time", "sleep", "thread_time", "time"},
    "datetime": {"now", "today", "utcnow"},
    "date": {"today"},
    "anyio": {"current_time", "sleep", "sleep_until"},
    "asyncio": {"sleep"},
}

MODULE_LINE = r"^\s*(?:[-*] )?`?([a-z][a-z0-9_]*)`?(?::| {2,}| [—-] ).*\w"
"""How a wing's docstring tells of a module: `keywords: what …`, with or without a bullet."""

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


# 1. Layers


def test_each_room_imports_only_rooms_of_lower_floors() -> None:
    upwards = {
        f"{name(file)} imports {module}"
        for file in sources(*PRODUCT, "bench")
        for module in imported(file)
        if room_of(module) not in {None, room(file)} | MAY_IMPORT[room(file)]
    }
    expect_none(upwards)


def test_no_tool_imports_another() -> None:
    siblings = {f"corpuscope.tools.{file.stem}" for file in tool_modules()}
    expect_none(
        f"{name(file)} imports {module}"
        for file in tool_modules()
        for module in siblings & imported(file)
    )


def test_every_room_has_its_place_in_the_table_of_floors() -> None:
    assert set(MAY_IMPORT) == {"tools", "server", "prompts", "bench"} | WINGS.keys()


# 2. Tools


def test_the_modules_on_top_of_tools_are_the_registered_tools_and_nothing_else() -> None:
    files = {file.stem.replace("_", "-") for file in tool_modules()}
    expect_none(f"{tool} is only a file, or only registered" for tool in files ^ set(TOOLS))


# 3. Sizes


def test_a_wing_has_few_files() -> None:
    sizes = {wing: len(modules(wing)) for wing in WINGS}
    expect_none(f"tools/{wing}: {size}" for wing, size in sizes.items() if size > MOST_FILES)


def test_modules_are_short() -> None:
    lengths = {name(file): len(file.read_text("utf-8").splitlines()) for file in sources(*PRODUCT)}
    expect_none(f"{file}: {lines} lines" for file, lines in lengths.items() if lines > MOST_LINES)


def test_functions_are_short_and_have_few_parameters() -> None:
    large = []
    for file in sources(*PRODUCT):
        for node in ast.walk(tree(file)):
            # A tool's parameters are flat and described where they stand, for the client to see.
            if not isinstance(node, Function) or is_tool(file, node):
                continue
            lines = (node.end_lineno or 0) - node.lineno + 1
            if lines > MOST_FUNCTION_LINES or parameters(node) > MOST_PARAMETERS:
                takes = f"{lines} lines, {parameters(node)} parameters"
                large.append(f"{name(file)} {node.name}: {takes}")
    expect_none(large)


# 4. core/


def test_core_is_small() -> None:
    assert len(modules("core")) <= MOST_CORE_FILES


def test_each_module_of_core_serves_three_rooms_or_core_alone() -> None:
    users: dict[str, set[str]] = {module: set() for module in modules("core")}
    for file in sources(*PRODUCT):
        for module in imported(file):
            if room_of(module) == "core" and (stem := module.split(".")[3:4]):
                users[stem[0]].add(room(file))
    expect_none(
        f"tools/core/{module}.py serves {', '.join(sorted(rooms)) or 'nobody'}"
        for module, rooms in users.items()
        if len(rooms - {"core"}) < FEWEST_USERS_OF_CORE and rooms != {"core"}
    )


# 5. What a wing says of itself


def test_a_wing_begins_with_a_docstring_that_lists_its_modules() -> None:
    wrong = []
    for wing in WINGS:
        syntax = tree(WINGS[wing] / "__init__.py")
        described = ast.get_docstring(syntax) or ""
        listed = Counter(re.findall(MODULE_LINE, described, re.MULTILINE))
        if len(syntax.body) != 1:
            wrong.append(f"tools/{wing}/__init__.py has more than its docstring")
        if not re.match(r"[A-Z].{15}", described):
            wrong.append(f"tools/{wing}/__init__.py does not begin with what the wing is for")
        if listed != Counter(modules(wing)):
            unlike = listed.keys() ^ set(modules(wing)) or {"twice the same"}
            wrong.append(f"tools/{wing}/__init__.py lists other modules: {sorted(unlike)}")
    expect_none(wrong)


# 6. Names


def test_no_public_name_stands_twice_within_tools() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for file in sources("tools"):
        for public in public_names(file):
            places[public].append(name(file))
    expect_none(
        f"{public}: {', '.join(files)}" for public, files in places.items() if len(files) > 1
    )


# 7. Libraries


def test_each_library_has_one_owner() -> None:
    strangers = {
        f"{name(file)} imports {library}"
        for file in sources(*PRODUCT)
        for library in libraries(file)
        if name(file) not in OWNERS.get(library, set()) and library not in SHARED
    }
    expect_none(strangers)


def test_every_owner_still_imports_its_library() -> None:
    gone = {
        f"{owner} does not import {library}"
        for library, owners in OWNERS.items()
        for owner in owners
        if not (ROOT / owner).is_file() or library not in libraries(ROOT / owner)
    }
    expect_none(gone)


# 8. Checked updates


def test_no_model_is_copied_with_updates_that_nothing_checks() -> None:
    unchecked = [
        f"{name(file)}:{call.lineno}"
        for file in sources(*PRODUCT, "bench")
        if room(file) != "core"
        for call in calls(file)
        if last_name(call.func) == "model_copy" and {word.arg for word in call.keywords} != {"deep"}
        if call.keywords or call.args
    ]
    expect_none(unchecked)


# 9. Redaction


def test_redaction_is_called_at_its_doors_only() -> None:
    indoors = [
        f"{name(file)}:{call.lineno}"
        for file in sources(*PRODUCT)
        if name(file) not in DOORS
        for call in calls(file)
        if redacts(call.func)
        or (last_name(call.func) in {"map", "partial"} and any(map(redacts, call.args)))
    ]
    expect_none(indoors)


def test_only_the_doors_import_what_redacts() -> None:
    strangers = {
        f"{name(file)} imports {module}"
        for file in sources(*PRODUCT)
        if name(file) not in DOORS
        for module in imported(file)
        if module.startswith("corpuscope.") and re.match("_?redact(_|$)", module.split(".")[-1])
    }
    expect_none(strangers)


def test_every_door_is_there() -> None:
    expect_none(door for door in DOORS if not (ROOT / door).is_file())


# 10. Tests


def test_the_tests_of_a_wing_lie_in_its_folder_by_the_names_of_its_modules() -> None:
    wanted = {f"{wing}/test_{module}.py" for wing in WINGS for module in modules(wing)}
    homes = {Path(path).name: path for path in wanted}
    wrong = []
    for file in files_of_tests():
        path = file.relative_to(TESTS).as_posix()
        if path.split("/")[0] in WINGS and path not in wanted:
            wrong.append(f"{path} is named after no module of the wing")
        elif "/" not in path and path not in HOUSE_TESTS:
            wrong.append(f"{path} belongs into a folder: {homes.get(path, 'its room')}")
    expect_none(wrong)


def test_every_wing_has_tests() -> None:
    expect_none(WINGS.keys() - {file.parent.name for file in files_of_tests()})


def test_what_tests_share_lies_in_support() -> None:
    loose = [
        name(file)
        for file in sources("tests")
        if not re.match(r"test_|conftest\.py|__init__\.py", file.name)
        if file.relative_to(TESTS).parts[0] != "support"
    ]
    expect_none(loose)


def test_no_test_looks_at_a_clock_or_sleeps() -> None:
    clocks = [
        f"{name(file)} {clock}"
        for file in sources("tests")
        for node in ast.walk(tree(file))
        for clock in clocks_in(node)
    ]
    expect_none(clocks)


# How the sources are read


def expect_none(broken: Iterable[str]) -> None:
    """Fail with a line for each place that breaks the rule."""
    if lines := sorted(broken):
        pytest.fail("\n".join(lines), pytrace=False)


@cache
def tree(file: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(file.read_text(encoding="utf-8"))


def sources(*tops: str) -> list[Path]:
    """Every Python file below these folders."""
    return [file for top in tops for file in sorted((ROOT / top).rglob("*.py"))]


def tool_modules() -> list[Path]:
    """The files on top of tools/."""
    return [file for file in sorted((ROOT / "tools").glob("*.py")) if file.stem != "__init__"]


def modules(wing: str) -> list[str]:
    """The names of a wing's modules."""
    return sorted(file.stem for file in WINGS[wing].rglob("*.py") if file.stem != "__init__")


def files_of_tests() -> list[Path]:
    """Every file of tests."""
    return [file for file in sources("tests") if file.name.startswith("test_")]


def name(file: Path) -> str:
    """Where a file lies in the project."""
    return file.relative_to(ROOT).as_posix()


def room(file: Path) -> str:
    """The wing, or the folder on top, in which a file lies."""
    parts = file.relative_to(ROOT).parts
    return parts[1] if parts[0] == "tools" and parts[1] in WINGS else parts[0]


def room_of(module: str) -> str | None:
    """The room of a module by its import name; None where it is none of the project's."""
    package, *parts = module.split(".")
    if package == "bench":
        return "bench"
    if package != "corpuscope" or not parts or parts == ["tools"]:
        return None
    if parts[0] not in PRODUCT:
        return None
    return parts[1] if parts[0] == "tools" and parts[1] in WINGS else parts[0]


@cache
def imported(file: Path) -> frozenset[str]:
    """What a file imports, modules and names in them, at its top or inside functions."""
    names: set[str] = set()
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and last_name(node.func) == "import_module" and node.args:
            names.update(constant_prefix(node.args[0]))
    return frozenset(names)


def constant_prefix(node: ast.expr) -> Iterator[str]:
    """The module's name as far as it is written out: `stdnum` of `f"stdnum.{module}"`."""
    first = node.values[0] if isinstance(node, ast.JoinedStr) and node.values else node
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        yield first.value.rstrip(".")


def libraries(file: Path) -> set[str]:
    """The libraries of others that a file imports; `pymilvus.model` is one of its own."""
    names = set()
    for module in imported(file):
        library = module.split(".")[0]
        if library not in sys.stdlib_module_names and library not in ("corpuscope", "bench"):
            names.add("pymilvus.model" if module.startswith("pymilvus.model") else library)
    return names


def calls(file: Path) -> list[ast.Call]:
    """Every call that is written in a file."""
    return [node for node in ast.walk(tree(file)) if isinstance(node, ast.Call)]


def last_name(node: ast.expr) -> str:
    """The last name of a dotted one: `redact` of `workspace.redact`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def redacts(node: ast.expr) -> bool:
    """Whether this names a function that redacts: `redact`, `_redact`, `redact_evidence`."""
    return re.match("_?redact(ed)?(_|$)", last_name(node)) is not None


def is_tool(file: Path, node: Function) -> bool:
    """Whether this is the public function of a tool."""
    return file.parent == ROOT / "tools" and file.stem == node.name


def parameters(node: Function) -> int:
    """How many parameters a function takes, `self` and `cls` aside."""
    takes = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
    return len([parameter for parameter in takes if parameter.arg not in ("self", "cls")])


def public_names(file: Path) -> Iterator[str]:
    """The public functions, classes and type aliases of a module."""
    for node in tree(file).body:
        public = ""
        if isinstance(node, Function | ast.ClassDef):
            public = node.name
        elif isinstance(node, ast.AnnAssign) and last_name(node.annotation) == "TypeAlias":
            public = last_name(node.target)
        if public and not public.startswith("_"):
            yield public


def clocks_in(node: ast.AST) -> Iterator[str]:
    """Which clock an expression or an import names, and in which line."""
    if isinstance(node, ast.Attribute) and last_name(node.value) in CLOCKS:
        library, names = last_name(node.value), [node.attr]
    elif isinstance(node, ast.ImportFrom) and node.module in CLOCKS:
        library, names = node.module, [alias.name for alias in node.names]
    else:
        return
    for clock in names:
        if clock.removesuffix("_ns") in CLOCKS[library]:
            yield f"line {node.lineno} {library}.{clock}"
