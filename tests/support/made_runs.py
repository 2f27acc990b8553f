"""Runs made of a path per record, to compare: nobody has to cluster for that."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from corpuscope.tools.archive.runs import Runs
from corpuscope.tools.core.ids import children_of, id_sort_key, lineage, stands_in
from corpuscope.tools.core.schema import DatasetCard, Description, Layer, Members, Node, Run
from corpuscope.tools.workspace.selection import Selection

CARD = DatasetCard(
    name="shop", collection="c", embedding="lexical", dim=4, text_columns=["text"], created=""
)


@dataclass(frozen=True)
class Made:
    """A run with its members."""

    selection: Selection
    members: Members

    @property
    def run(self) -> Run:
        return self.selection.run


def made(
    paths: str, run_id: str = "r1", first: int = 0, titles: dict[str, str] | None = None
) -> Made:
    """A run of two layers (tops, and what is below them); the finer one is recommended.

    `paths` says how many records each path has: `1:30 2.1:20 noise:5`; the records are numbered
    from `first` on. A top without children stands in both layers.
    """
    parts = [part.split(":") for part in paths.split()]
    every = [path for path, count in parts for _ in range(int(count))]
    records = [f"{first + number:05d}" for number in range(len(every))]
    sizes = Counter(cluster for path in every for cluster in lineage(path))
    del sizes["noise"]
    nodes = [
        Node(
            id=cluster,
            layers=(1, 1) if "." in cluster else (0, 0 if children_of(cluster, sizes) else 1),
            size=sizes[cluster],
            share=round(sizes[cluster] / len(every), 6),
            keywords=[f"word{cluster}"],
            exemplars=[
                next(r for r, p in zip(records, every, strict=True) if cluster in lineage(p))
            ],
        )
        for cluster in sorted(sizes, key=id_sort_key)
    ]
    covered = sum(node.size for node in nodes if node.layers and node.layers[1] == 1)
    run = Run(
        id=run_id,
        dataset="shop",
        dataset_version=0,
        collection="c",
        created="",
        parameters={"where": None},
        versions={},
        records=len(every),
        noise=len(every) - covered,
        layers=[
            Layer(
                index=index,
                clusters=sum(stands_in(node, index) for node in nodes),
                coverage=1,
                persistence=1,
            )
            for index in (0, 1)
        ],
        recommended=1,
        reason="",
        nodes=nodes,
    )
    descriptions = {
        cluster: Description(
            cluster=cluster, title=title, summary=[], keywords=[], author="assistant"
        )
        for cluster, title in (titles or {}).items()
    }
    zeros = np.zeros(len(every), np.float32)
    members = Members(
        ids=records,
        paths=np.array(every, dtype=object),
        strengths=zeros,
        centrality=zeros,
        copies_of=np.arange(len(every), dtype=np.int32),
    )
    return Made(Selection(CARD, run, descriptions), members)


def many_themes(headings: int = 6, each: int = 8, alone: int = 3) -> str:
    """Paths for `made`: so many headings with themes below, the first ones larger, and themes below
    none; three records are in the first heading and in no theme."""
    below = [
        f"{heading}.{theme}:{4 + (heading == 1) + (theme == 1)}"
        for heading in range(1, headings + 1)
        for theme in range(1, each + 1)
    ]
    rest = [f"{headings + theme}:5" for theme in range(1, alone + 1)]
    return " ".join(["1:3", *below, *rest, "noise:7"])


def save_over(runs: Runs, base: Run, run: Made) -> Run:
    """A made run, saved over as many of the records of a real one as it has."""
    real = dict(zip(run.members.ids, runs.members(base).ids, strict=False))
    nodes = [
        replace(node, exemplars=[real[record] for record in node.exemplars])
        for node in run.run.nodes
    ]
    saved = replace(
        run.run,
        id="",
        dataset=base.dataset,
        collection=base.collection,
        dataset_version=base.dataset_version,
        parameters=base.parameters,
        nodes=nodes,
    )
    return runs.save(saved, replace(run.members, ids=list(real.values())))
