"""A dataset of tickets with a run that was made by hand: nobody has to cluster for its tree."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from support.texts import tickets

from corpuscope.tools.core.ids import children_of, id_sort_key, is_within, lineage
from corpuscope.tools.core.schema import Layer, Members, Node, Run, Watch
from corpuscope.tools.ingest import ingest
from corpuscope.tools.workspace.selection import Selection, select
from corpuscope.tools.workspace.workspace import Workspace

PATHS = {
    "delivery": "1.1",
    "refund": "1.2",
    "login": "2.1",
    "coffee": "3",
    "garden": "noise",
}
"""Where each theme lies: 1 has two parts, 2 an only one, 3 none."""

FLAT = {"delivery": "1", "refund": "2", "login": "3", "coffee": "4", "garden": "5"}
"""A cluster for each theme, and no noise."""

KEYWORDS = {
    "delivery": ["parcel", "package", "courier", "shipment", "tracking"],
    "refund": ["refund", "money", "bank", "repayment", "receipt"],
    "login": ["password", "login", "account", "username", "browser"],
    "coffee": ["espresso", "coffee", "water", "grinder", "milk"],
    "garden": ["garden", "rose", "lawn", "tree", "tomato"],
}
"""Words that set each theme apart."""

SIZE = 36


def fill(
    workspace: Workspace, dataset: str = "shop", rows: list[dict[str, Any]] | None = None
) -> None:
    """Read the tickets, or these rows made of them, into a dataset."""
    rows = rows or tickets(each=SIZE)
    ingest(workspace, Watch(), dataset=dataset, rows=rows, id_column="id")


def made_run(
    workspace: Workspace,
    paths: Mapping[str, str] = PATHS,
    *,
    dataset: str = "shop",
    telling: bool = False,
) -> Selection:
    """A new run of the tickets without descriptions, in two layers: tops, and what is below.

    Its keywords are made up, or where they are to be `telling`, those of the themes.
    """
    card = workspace.store.card(dataset)
    rows = [row for page in workspace.store.scan(card, ["id", "metadata"]) for row in page]
    places = [paths[row["metadata"]["theme"]] for row in rows]
    located = list(zip(rows, places, strict=True))
    sizes = Counter(cluster for path in places for cluster in lineage(path))
    noise = sizes.pop("noise", 0)

    def layers(cluster: str) -> tuple[int, int]:
        if "." in cluster:
            return (1, 1)
        return (0, 0) if children_of(cluster, sizes) else (0, 1)

    nodes = [
        Node(
            id=cluster,
            layers=layers(cluster),
            size=sizes[cluster],
            share=sizes[cluster] / len(rows),
            keywords=_words(cluster, paths) if telling else _made_up(cluster),
            exemplars=[next(row["id"] for row, at in located if is_within(at, cluster))],
        )
        for cluster in sorted(sizes, key=id_sort_key)
    ]
    run = Run(
        id="",
        dataset=dataset,
        dataset_version=card.version,
        collection=card.collection,
        created="",
        parameters={"where": None, "seed": 0},
        versions={},
        records=len(rows),
        noise=noise,
        layers=[Layer(index=index, clusters=3, coverage=0.8, persistence=1) for index in (0, 1)],
        recommended=1,
        reason="",
        nodes=nodes,
    )
    ones = np.ones(len(rows), np.float32)
    members = Members(
        ids=[row["id"] for row in rows],
        paths=np.array(places, dtype=object),
        strengths=ones,
        centrality=ones,
        copies_of=np.arange(len(rows), dtype=np.int32),
    )
    saved = workspace.runs.save(run, members)
    return select(workspace, dataset, saved.id)


def _made_up(cluster: str) -> list[str]:
    return [f"word{cluster}", f"phrase{cluster}", "text"]


def _words(cluster: str, paths: Mapping[str, str]) -> list[str]:
    """The keywords of its themes, the first of each before the second of any."""
    themes = [KEYWORDS[theme] for theme, path in paths.items() if is_within(path, cluster)]
    return [word for words in zip(*themes, strict=True) for word in words]
