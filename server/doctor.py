"""`corpuscope doctor`: what is configured, what is reachable, what is installed."""

import importlib.metadata
import platform
import sys
from collections.abc import Callable

import corpuscope
from corpuscope.server.settings import Settings, open_workspace, shown
from corpuscope.tools.errors import CorpuscopeError
from corpuscope.tools.workspace import Workspace

PACKAGES = (
    "mcp", "pymilvus", "milvus-lite", "evoc", "fast_hdbscan", "hdbscan", "umap-learn", "faiss-cpu",
    "plotly", "kaleido", "pandas", "numpy", "onnxruntime", "openai",
)  # fmt: skip
EXTRAS = ("FlagEmbedding", "sentence-transformers", "model2vec", "torch")
MODELS_SHOWN = 8


def run_doctor(settings: Settings) -> int:
    """Print the findings; the exit code is 1 where something configured does not work."""
    print(f"corpuscope {corpuscope.__version__}, Python {platform.python_version()}, "
          f"{platform.system()} {platform.machine()}, {sys.executable}")  # fmt: skip
    print("\nSettings")
    for name, value in shown(settings).items():
        print(f"  {name:32} {value}")
    workspace = open_workspace(settings)
    print("\nChecks")
    checks: list[tuple[str, Callable[[Workspace], str]]] = [
        ("Milvus", _milvus),
        ("Default embedding", _embedding),
        ("Local models", _models),
        ("Model that writes", _writer),
        ("Chrome for PNG", _chrome),
    ]
    try:
        sound = [_check(name, work, workspace) for name, work in checks]
    finally:
        workspace.store.close()
    print("\nPackages")
    print("  " + ", ".join(f"{name} {_version(name)}" for name in PACKAGES))
    print("  extras: " + ", ".join(f"{name} {_version(name)}" for name in EXTRAS))
    return 0 if all(sound) else 1


def _check(name: str, work: Callable[[Workspace], str], workspace: Workspace) -> bool:
    try:
        print(f"  ok    {name}: {work(workspace)}")
    except CorpuscopeError as error:
        print(f"  FAIL  {name}: {error}")
        return False
    return True


def _milvus(workspace: Workspace) -> str:
    where = workspace.store.location.uri or "Milvus Lite in the home"
    cards = workspace.store.cards()
    return f"{where}, {len(cards)} datasets"


def _embedding(workspace: Workspace) -> str:
    from tempfile import TemporaryDirectory

    from corpuscope.tools.embedding import fit_embedder

    with TemporaryDirectory() as folder:
        from pathlib import Path

        texts = ["a text to try it with", "another text"]
        fitted = fit_embedder(
            workspace.default_embedding, texts, workspace.embedders.options, Path(folder)
        )
        dim = fitted.embedder.embed(texts).shape[1]
    spec = fitted.embedder.spec
    size = "sized by the texts" if spec == "lexical" else f"{dim} numbers"
    return f"{spec}, {size}. {fitted.note}"


def _models(workspace: Workspace) -> str:
    folder = workspace.embedders.options.models_dir
    names = sorted(
        str(path.parent.relative_to(folder)) for path in folder.glob("**/tokenizer.json")
    )
    return f"{', '.join(names[:MODELS_SHOWN]) or 'none'} in {folder}"


def _writer(workspace: Workspace) -> str:
    if workspace.writer is None:
        return (
            "none configured: the assistant in the chat writes, nothing is sent anywhere. "
            "Set CORPUSCOPE_LLM_MODEL (and CORPUSCOPE_LLM_BASE_URL) to change that"
        )
    from corpuscope.tools.llm import list_models

    writer = workspace.writer
    offered = list_models(writer.endpoint)
    known = "offered" if writer.model in offered else "NOT in its list of models"
    return f"{writer.endpoint.host} answers; {writer.model} is {known}"


def _chrome(workspace: Workspace) -> str:
    from corpuscope.tools.figure import find_browser

    browser = find_browser()
    return browser or "none found: the static picture is used instead, nothing to do"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"
