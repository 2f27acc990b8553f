"""A dataset of tickets with a run that was made by hand: nobody has to cluster for its tree."""

import numpy as np
from support.texts import tickets

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

SIZE = 36


def fill(workspace: Workspace) -> None:
    """Read the tickets into the dataset `shop`."""
    ingest(workspace, Watch(), dataset="shop", rows=tickets(each=SIZE), id_column="id")


def made_run(workspace: Workspace) -> Selection:
    """A new run of `shop`, without descriptions."""
    card = workspace.store.card("shop")
    rows = [row for page in workspace.store.scan(card, ["id", "metadata"]) for row in page]
    paths = [PATHS[row["metadata"]["theme"]] for row in rows]
    sizes = {"1": 2 * SIZE, "1.1": SIZE, "1.2": SIZE, "2": SIZE, "2.1": SIZE, "3": SIZE}
    nodes = [
        Node(
            id=id,
            layers={"1": (0, 0), "2": (0, 0), "3": (0, 1)}.get(id, (1, 1)),
            size=size,
            share=size / len(rows),
            keywords=[f"word{id}", f"phrase{id}", "text"],
            exemplars=[],
        )
        for id, size in sizes.items()
    ]
    run = Run(
        id="",
        dataset="shop",
        dataset_version=card.version,
        collection=card.collection,
        created="",
        parameters={"where": None, "seed": 0},
        versions={},
        records=len(rows),
        noise=SIZE,
        layers=[Layer(index=index, clusters=3, coverage=0.8, persistence=1) for index in (0, 1)],
        recommended=1,
        reason="",
        nodes=nodes,
    )
    ones = np.ones(len(rows), np.float32)
    members = Members(
        ids=[row["id"] for row in rows],
        paths=np.array(paths, dtype=object),
        strengths=ones,
        centrality=ones,
        copies_of=np.arange(len(rows), dtype=np.int32),
    )
    saved = workspace.runs.save(run, members)
    return select(workspace, "shop", saved.id)
