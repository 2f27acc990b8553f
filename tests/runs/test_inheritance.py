from dataclasses import replace
from pathlib import Path

import numpy as np
from support.made_runs import CARD, Made, made

from corpuscope.tools.core.schema import Description, Floats
from corpuscope.tools.runs.draft import RunDraft
from corpuscope.tools.runs.inheritance import inherit
from corpuscope.tools.store.runs import Runs


def draft_of(
    run: Made, centroids: dict[str, Floats], descriptions: dict[str, Description]
) -> RunDraft:
    return RunDraft(CARD, replace(run.run, id=""), run.members, descriptions, centroids)


def test_clusters_whose_records_are_gone_are_known_by_their_centroids(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    axes = np.eye(4, dtype=np.float32)
    before = made("1:30 2:20", titles={"2": "Parcels"})
    words = before.selection.descriptions
    first = inherit(runs, draft_of(before, {"1": axes[0], "2": axes[1]}, words))
    runs.save(first.run, first.members, first.write)
    after = made("1:40 2:9", first=1_000)
    second = inherit(runs, draft_of(after, {"1": axes[1], "2": axes[2]}, {}))
    assert [node.id for node in second.run.nodes] == ["2", "3"]
    assert second.descriptions["2"].title == "Parcels"
    assert second.descriptions["2"].carried_from == "r1:2"
    assert second.comparison is not None
    assert (second.comparison.kept, second.comparison.died, second.comparison.born) == (1, 1, 1)
