"""`corpuscope doctor`: what is configured, what is reachable, what is installed."""

import importlib.metadata
import platform
import sys
from collections.abc import Callable

import corpuscope
from corpuscope.prompts import template_names
from corpuscope.server.settings import Settings, open_workspace, shown
from corpuscope.tools.core.disk import (
    check_space,
    check_writable,
    foreseen_failures,
    free_bytes,
    shown_bytes,
)
from corpuscope.tools.core.errors import BadInput, CorpuscopeError
from corpuscope.tools.core.redaction import as_it_is
from corpuscope.tools.store.connection import without_login
from corpuscope.tools.workspace.workspace import Workspace

PACKAGES = (
    "mcp", "pymilvus", "milvus-lite", "evoc", "fast_hdbscan", "hdbscan", "umap-learn", "faiss-cpu",
    "plotly", "matplotlib", "pandas", "numpy", "onnxruntime", "wordllama", "openai",
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
        ("Disk", _disk),
        ("Milvus", _milvus),
        ("Default embedding", _embedding),
        ("Local models", _models),
        ("Model that writes", _writer),
        ("Templates", _templates),
    ]
    try:
        sound = [_check(name, work, workspace) for name, work in checks]
    finally:
        workspace.store.close()
    print("\nWhat is sent where")
    for line in sent(workspace):
        print(f"  {line}")
    print("\nPackages")
    print("  " + ", ".join(f"{name} {_version(name)}" for name in PACKAGES))
    print("  extras: " + ", ".join(f"{name} {_version(name)}" for name in EXTRAS))
    return 0 if all(sound) else 1


def sent(workspace: Workspace) -> list[str]:
    """What leaves this machine with these settings, and where to; nothing is sent to find out."""
    writer, store = workspace.writer, workspace.store.location.uri
    openai = workspace.embedders.options.openai
    words = (
        "nowhere: the assistant in the chat writes, from the evidence that describe-cluster gives"
    )
    if writer is not None:
        words = (
            f"to {writer.endpoint.host}, model {writer.model}: per theme some 16 shortened texts, "
            "keywords, metadata counts; with verify 20 more texts"
        )
    vectors = "nowhere, unless a dataset's embedding is openai:…"
    if openai is not None and workspace.default_embedding.startswith("openai:"):
        vectors = f"to {openai.host}: all texts of new datasets once, queries, and descriptions"
    redaction = "off"
    if workspace.redact is not as_it_is:
        redaction = (
            "on, before each of these but Milvus; names stay, of people and of columns, and so "
            "do keywords that were counted before it was on: cluster again"
        )
    return [
        f"texts for descriptions  {words}",
        f"texts for vectors       {vectors}",
        f"records and vectors     {f'to {without_login(store)}' if store else 'Milvus Lite, here'}",
        "what tools answer       to the assistant that called them",
        f"redaction               {redaction} (CORPUSCOPE_REDACT)",
    ]


def _check(name: str, work: Callable[[Workspace], str], workspace: Workspace) -> bool:
    try:
        with foreseen_failures(workspace.home):
            print(f"  ok    {name}: {work(workspace)}")
    except CorpuscopeError as error:
        print(f"  FAIL  {name}: {error}")
        return False
    return True


def _disk(workspace: Workspace) -> str:
    from tempfile import TemporaryFile

    home = workspace.home
    home.mkdir(parents=True, exist_ok=True)
    check_writable(home)
    with TemporaryFile(dir=home) as probe:
        probe.write(b"written")
    check_space(home, 0, "anything")
    return f"{shown_bytes(free_bytes(home))} free where {home} lies"


def _milvus(workspace: Workspace) -> str:
    where = workspace.store.location.uri or "Milvus Lite in the home"
    cards = workspace.store.cards()
    return f"{where}, {len(cards)} datasets"


def _embedding(workspace: Workspace) -> str:
    from tempfile import TemporaryDirectory

    from corpuscope.tools.embedding.factory import fit_embedder

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
    from corpuscope.tools.llm.client import list_models

    writer = workspace.writer
    offered = list_models(writer.endpoint)
    known = "offered" if writer.model in offered else "NOT in its list of models"
    return f"{writer.endpoint.host} answers; {writer.model} is {known}"


def _templates(workspace: Workspace) -> str:
    templates = workspace.templates
    if templates.folder is None:
        return "those that came with it"
    overridden = templates.overridden()
    strange = sorted({file.stem for file in templates.folder.glob("*.md")} - {*overridden})
    if strange or not overridden:
        names = ", ".join(f"{name}.md" for name in template_names())
        odd = f"{', '.join(strange)} replaces none" if strange else "replaces none"
        raise BadInput(f"In {templates.folder}: {odd}. Valid names: {names}.")
    for name in overridden:
        templates.load(name)
    return f"{', '.join(overridden)} from {templates.folder}"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"
