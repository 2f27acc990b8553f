"""Describing the clusters of a set with the parts of corpuscope: from keywords, and by a model."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.measures import Cost, measured
from bench.sets import VECTORS, names
from corpuscope.tools.cluster import cluster
from corpuscope.tools.core.schema import Description, Watch, no_report
from corpuscope.tools.describing.describe import (
    Describer,
    describe_many,
    describe_with_keywords,
    describe_with_model,
    prove_description,
    verify_description,
)
from corpuscope.tools.describing.disambiguation import KnownTitles, tell_apart
from corpuscope.tools.describing.gathering import DescriptionTask, gather_tasks
from corpuscope.tools.describing.judge import Judge, open_judge
from corpuscope.tools.describing.prompting import prompt_context
from corpuscope.tools.embedding.spec import AUTO
from corpuscope.tools.ingest import ingest
from corpuscope.tools.llm.asker import open_asker
from corpuscope.tools.llm.budget import Limits, Usage
from corpuscope.tools.llm.endpoint import EndpointOptions
from corpuscope.tools.workspace.reading import load_dataset
from corpuscope.tools.workspace.selection import Selection, cluster_rows, select
from corpuscope.tools.workspace.workspace import LlmOptions, Workspace


@dataclass(frozen=True)
class Ground:
    """A set, ingested and clustered: what its descriptions are made from and measured by.

    `packs` are those of the recommended layer, by cluster id; `labels` the name of the true label
    of most of a cluster's records, empty where the set has no labels; `gathering` what it cost to
    gather the packs.
    """

    workspace: Workspace
    selection: Selection
    packs: dict[str, DescriptionTask]
    judge: Judge | None
    labels: dict[str, str]
    gathering: Cost


@dataclass(frozen=True)
class Account:
    """What one writer wrote, by cluster id: `first`, and `final`, after titles that were nearly
    equal were told apart; what that used in how many seconds, and what sorting texts used."""

    name: str
    first: dict[str, Description]
    final: dict[str, Description]
    used: Usage = field(default_factory=Usage)
    sorting: Usage = field(default_factory=Usage)
    seconds: float = 0.0


def labelled(folder: Path) -> list[str]:
    """The sets of a folder that have labels."""
    from pyarrow import parquet

    return [
        name
        for name in names(folder)
        if "label" in parquet.read_schema(folder / f"{name}.parquet").names
    ]


def prepare(workspace: Workspace, folder: Path, name: str, model: Path) -> Ground:
    """Ingest a set with its vectors, cluster it, and gather the evidence of its clusters."""
    ingest(
        workspace,
        Watch(),
        name,
        path=str(folder / f"{name}.parquet"),
        text_columns=["text"],
        metadata_columns=[],  # or the evidence would tell the label
        vector_column=str(folder / f"{name}{VECTORS}"),
        embedding=f"onnx:{model}" if model.is_dir() else AUTO,
    )
    cluster(workspace, Watch(), name)
    selection = select(workspace, name, None)
    nodes = selection.standing_in(selection.run.recommended)
    packs, cost = measured(lambda: gather_tasks(workspace, selection, nodes))
    print(f"{name}: evidence of {len(packs)} clusters: {cost}", flush=True)
    return Ground(
        workspace,
        selection,
        {pack.evidence.cluster: pack for pack in packs},
        open_judge(workspace, selection.card, packs),
        _true_labels(workspace, selection, _label_of_texts(folder, name)),
        cost,
    )


def by_keywords(ground: Ground) -> Account:
    """The descriptions that need no model; where their titles are alike, keyphrases are added."""
    first = {
        cluster: prove_description(ground.judge, describe_with_keywords(pack.evidence), pack)
        for cluster, pack in ground.packs.items()
    }
    final = dict(first)
    nowhere = EndpointOptions(base_url=None, api_key="")
    # Nothing is sent: a model is asked about the titles of models only.
    with _writing(ground, LlmOptions(nowhere, model="")) as writing:
        tell_apart(writing, list(ground.packs.values()), _titles(first, final))
    return Account("keywords", first, final)


def _titles(first: dict[str, Description], final: dict[str, Description]) -> KnownTitles:
    """The titles as they were written, and where those that change are put."""
    return KnownTitles(dict(first), lambda cluster: None, _keeping(final))


def by_model(ground: Ground, writer: LlmOptions) -> Account:
    """The descriptions of a model, told apart and then verified, as `describe-cluster` does it."""
    first: dict[str, Description] = {}
    begun = time.perf_counter()
    with _writing(ground, writer) as writing:
        outcome = describe_many(
            lambda pack: describe_with_model(writing, pack),
            list(ground.packs.values()),
            writer.endpoint.concurrency,
            no_report,
            _keeping(first),
        )
        if not first:
            raise SystemExit(f"{writer.model} described nothing: {outcome.by_name[0][1]}")
        final = dict(first)
        named = [ground.packs[cluster] for cluster in first]
        tell_apart(writing, named, _titles(first, final))
        used, seconds = writing.asker.usage, time.perf_counter() - begun
    print(f"{writer.model}: {used}, {seconds:.1f} s, failed: {outcome.by_name}", flush=True)
    with _writing(ground, writer) as sorter:
        unsorted = dict(final)
        outcome = describe_many(
            lambda pack: verify_description(sorter, unsorted[pack.evidence.cluster], pack),
            named,
            writer.endpoint.concurrency,
            no_report,
            _keeping(final),
        )
        sorting = sorter.asker.usage
    print(f"{writer.model} sorts: {sorting}, failed: {outcome.by_name}", flush=True)
    return Account(writer.model, first, final, used, sorting, seconds)


def _label_of_texts(folder: Path, name: str) -> dict[str, str]:
    from pyarrow import parquet

    table = parquet.read_table(folder / f"{name}.parquet")
    if "label" not in table.column_names:
        return {}
    texts = (str(text).strip() for text in table["text"].to_pylist())
    return dict(zip(texts, map(str, table["label"].to_pylist()), strict=True))


def _true_labels(
    workspace: Workspace, selection: Selection, label_of: Mapping[str, str]
) -> dict[str, str]:
    """The label of most records of each cluster of the recommended layer."""
    if not label_of:
        return {}
    corpus = load_dataset(workspace, selection.card).corpus
    text_of = {
        record: corpus.texts[at] for record, at in zip(corpus.ids, corpus.copies_of, strict=True)
    }
    members = workspace.runs.members(selection.run)
    labels = [label_of[text_of[record].strip()] for record in members.ids]
    true_labels = {}
    for node in selection.standing_in(selection.run.recommended):
        rows = cluster_rows(selection.run, members, node.id)
        [(label, _count)] = Counter(labels[row] for row in rows).most_common(1)
        true_labels[node.id] = label
    return true_labels


@contextmanager
def _writing(ground: Ground, writer: LlmOptions) -> Iterator[Describer]:
    """A model at work with nothing used yet, and no answers kept from before."""
    limits = Limits(max_tokens=writer.max_tokens)
    context = prompt_context(ground.workspace, ground.selection)
    with open_asker(writer.endpoint, writer.model, limits, None) as asker:
        yield Describer(asker, writer.model, context, ground.judge)


def _keeping(descriptions: dict[str, Description]) -> Callable[[Description], None]:
    def keep(description: Description) -> None:
        descriptions[description.cluster] = description

    return keep
