"""A run that is not saved yet, with all that its folder will hold and all that is told of it.

Each of the three ways to a run (`new_run`, `drill_down`, `assignment`) returns one; the tool
`cluster` tells about it, saves it, and draws its map where it has none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from corpuscope.tools.archive.run_files import (
    write_centroids,
    write_descriptions,
    write_map,
    write_offsets,
    write_stability,
)
from corpuscope.tools.clustering.pipeline import Clustering
from corpuscope.tools.core.schema import (
    DatasetCard,
    Description,
    Floats,
    GroupOffsets,
    Members,
    Run,
    Stability,
)
from corpuscope.tools.runs.changes import Comparison
from corpuscope.tools.runs.frozen import FrozenTheme
from corpuscope.tools.workspace.reading import LoadedDataset


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """The cluster that a run splits, why it was split so, what to know of its parts, and the
    columns regardless of which they were found."""

    cluster: str
    reason: str
    hint: str | None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class MapSource:
    """What the map of a new run is laid out from: its records, and what clustering left."""

    loaded: LoadedDataset
    clustering: Clustering


@dataclass(frozen=True, slots=True, eq=False)
class RunDraft:
    """A run before it is saved, of the dataset as it was when it was read (`card`).

    `run` has no id yet; one that has, in place of a draft, says that nothing new was found.
    `centroids` (dim,) float32 by cluster id; `same` gives the earlier id of each cluster that is
    the same thing, and `comparison` what became of the earlier clusters: None where there is no
    earlier run. `map` is (n, 2), row for row with `members`, where it is known; else `source` is
    what it can be laid out from, if there is anything. `offsets` are those of the groups of
    `run.regardless_of`; `frozen` says by cluster which frozen theme of an earlier run it is.
    """

    card: DatasetCard
    run: Run
    members: Members
    descriptions: dict[str, Description]
    centroids: dict[str, Floats]
    same: Mapping[str, str] = field(default_factory=dict)
    comparison: Comparison | None = None
    stability: Stability | None = None
    split: Split | None = None
    map: Floats | None = None
    source: MapSource | None = None
    offsets: GroupOffsets | None = None
    frozen: Mapping[str, FrozenTheme] = field(default_factory=dict)

    @property
    def is_new(self) -> bool:
        """Whether there is a run to save."""
        return not self.run.id

    @property
    def columns(self) -> list[str]:
        """The columns across whose values its clusters, or the parts of one, were found."""
        return self.run.regardless_of if self.split is None else list(self.split.columns)

    def write(self, folder: Path) -> None:
        """Write everything but run and members into the run's folder, before it appears."""
        write_descriptions(folder, self.descriptions)
        write_centroids(folder, self.centroids)
        if self.stability is not None:
            write_stability(folder, self.stability)
        if self.map is not None:
            write_map(folder, self.map)
        if self.offsets is not None:
            write_offsets(folder, self.offsets)
