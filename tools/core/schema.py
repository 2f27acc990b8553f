"""The words of the project as types: dataset, record, run, layer, cluster, description.

Frozen dataclasses travel inside the process and are stored; pydantic models go to a client.
"""

import abc
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, TypeAdapter

T = TypeVar("T")

Scalar: TypeAlias = str | int | float | bool | None
"""A metadata value. Dates are ISO 8601 strings."""

Floats: TypeAlias = NDArray[np.float32]
Ints: TypeAlias = NDArray[np.int32]

Report: TypeAlias = Callable[[float, str], None]
"""How work tells its progress: the fraction done (0 to 1, rising) and one short sentence."""

VERBATIM = "verbatim"
"""Marks, in `Annotated`, what is no text of people and is never redacted."""

Verbatim: TypeAlias = Annotated[str, VERBATIM]
"""An id, a name, a path, or a sentence made of such alone: digits in it are no telephone."""

NOISE = "noise"
"""The id of what belongs to no cluster. It is counted, and never described as if it were one."""

COLUMN = "column"
"""The embedding of vectors that came with the file and whose model nobody named."""


def no_report(fraction: float, message: str) -> None:
    """The `Report` for callers that do not care."""


class Frozen(BaseModel):
    """A pydantic model that neither changes nor takes unknown fields: for a client, or of a model.
    What is stored are dataclasses, which pass over fields of newer versions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def _with(self, **fields: object) -> Self:
        """A copy with other values: for the typed `with_…` methods of the models alone."""
        if unknown := fields.keys() - type(self).model_fields.keys():
            raise TypeError(f"{type(self).__name__} has no field {', '.join(sorted(unknown))}")
        return self.model_copy(update=fields)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def to_json(stored: object, indent: int | None = None, exclude: Any = None) -> str:
    """A stored dataclass as JSON, its fields in their order; `exclude` as pydantic takes it."""
    kind: Any = type(stored)
    return _adapter(kind).dump_json(stored, indent=indent, exclude=exclude).decode()


def from_json(kind: type[T], text: str | bytes) -> T:
    """A stored dataclass from JSON; fields it does not know are passed over.

    Raises:
        pydantic.ValidationError: It is no JSON, or a field is missing or of another type.
    """
    known: Any = kind
    stored: T = _adapter(known).validate_json(text)
    return stored


class Result(Frozen, abc.ABC):
    """What a tool returns: the same content as a short text and as structured data."""

    @abc.abstractmethod
    def as_text(self) -> str:
        """The result in words, complete enough for a host that shows only the text."""

    def pictures(self) -> list[Path]:
        """PNG files that the model should see with the result."""
        return []

    def documents(self) -> list[str]:
        """The addresses, of files or of this server's resources, that the result links to."""
        return []


def _keep_to_itself(result: Result) -> None:
    """The `Watch.ready` of callers that only want the end."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What long work tells while it goes on.

    `report` takes its progress; `ready` takes a result that can be shown before the work ends.
    """

    report: Report = no_report
    ready: Callable[[Result], None] = _keep_to_itself


@dataclass(frozen=True, slots=True)
class Record:
    """One text with what came with it.

    `id` is 16 hex digits; `digest` changes when text, metadata or vector change;
    `vector` is (dim,) float32 of unit length, or None until it is embedded.
    """

    id: str
    text: str
    digest: str
    metadata: dict[str, Scalar] = field(default_factory=dict)
    vector: Floats | None = None


ColumnType = Literal["number", "string", "date", "boolean"]


@dataclass(frozen=True, slots=True)
class Mask:
    """What of a dataset's texts makes neither vectors nor keywords, and is shown and searched.

    `kinds` are names of patterns (handles, urls, emails, numbers), `words` the person's own.
    """

    kinds: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.kinds or self.words)

    def __str__(self) -> str:
        kinds = ", ".join(self.kinds)
        words = f"{len(self.words)} words ({', '.join(self.words[:5])})" if self.words else ""
        return " and ".join(filter(None, (kinds, words))) or "nothing"


NO_MASK = Mask()


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetCard:
    """The described identity of a dataset, kept in the store's catalogue."""

    name: str
    collection: str
    embedding: str
    """The spec of the embedder that made the vectors; `column` where the file brought them."""
    dim: int
    text_columns: list[str]
    id_column: str | None = None
    metadata_columns: dict[str, ColumnType] = field(default_factory=dict)
    full_text: bool = False
    """Whether Milvus keeps a BM25 index of the texts, for queries that cannot be embedded."""
    created: str
    """ISO 8601, UTC."""
    pending: bool = False
    """Whether its first ingest has not ended: until then it is in no list."""
    records: int | None = None
    """How many there are; None (they are counted) while an ingest works, and in cards of before."""
    changing: bool = False
    """Whether an ingest is at work on the texts, or was stopped at it: until one ends, what is read
    may be half of it, and nothing is kept of it."""
    mask: Mask = NO_MASK
    """What is taken out of its texts for vectors and keywords."""
    version: int = 0
    """Raised before the first and after the last write of an ingest that changes texts or vectors:
    what was computed from an older one is stale. Metadata alone does not raise it."""
    revision: int = 0
    """Raised likewise, and by changes of metadata as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """The clusters at one resolution. Index 0 is the coarsest."""

    index: int
    clusters: int
    coverage: float
    """Share of the records that are in a cluster of this layer, 0 to 1."""
    persistence: float
    """PLSCAN's score of the layer: larger means it survives more choices of the cluster size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One cluster of a run's tree. Its id is its path: `3`, `3.1`, `3.1.2`."""

    id: str
    layers: tuple[int, int] | None
    """The first and last layer in which it stands; None for one found by drilling down."""
    drilled: bool = False
    """Whether it was found by splitting a cluster by itself."""
    size: int
    """Records in it, its children's included."""
    share: float
    """`size` as a share of the run's records, 0 to 1."""
    keywords: list[str]
    exemplars: list[str]
    """Ids of records that show what it is, the most central first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One clustering of one dataset, or of a part of it. Immutable once saved: edits lie beside."""

    id: str
    dataset: str
    dataset_version: int
    collection: str
    """The dataset's collection at that time: a replaced dataset has another one."""
    created: str
    parameters: dict[str, Scalar]
    versions: dict[str, str]
    """Package name to the version that made the run."""
    records: int
    noise: int
    """Records in no cluster of the recommended layer."""
    noise_reasons: dict[str, int] = field(default_factory=dict)
    """How many of them are noise for which kind of reason; empty where that is not known."""
    layers: list[Layer]
    recommended: int
    """Index of the recommended layer."""
    found: int | None = None
    """Index of the layer that clustering recommended, where `recommended` is another one that was
    chosen to be shown."""
    headings: int | None = None
    """The coarser layer whose clusters head the themes of the one that was found; None: few."""
    reason: str
    """Why that layer, in one sentence."""
    hint: str | None = None
    """What to know or do when the result is thin; None when all is well."""
    parent_run: str | None = None
    within: str | None = None
    """The cluster of `parent_run` that was clustered again by itself, or several: `3, 5.1`."""
    follows: str | None = None
    """The earlier run whose ids it keeps for clusters that are the same thing."""
    assigned_from: str | None = None
    """The run whose clusters it has, with new records put into them."""
    assigned: int = 0
    """How many records were put into the clusters of `assigned_from`."""
    regardless_of: list[str] = field(default_factory=list)
    """Columns across whose groups the themes were found: `GroupOffsets` were taken off."""
    noise_assigned: int | None = None
    """Records of the noise with a nearest theme (`Members.nearest`); None where nobody asked."""
    nodes: list[Node]
    edit: int = 0
    """The last edit by hand that is in it; 0: it is as it was found."""
    grouped: dict[str, list[str]] = field(default_factory=dict)
    """The clusters below each heading made by hand, `h1`; its title is among the descriptions."""
    frozen: list[str] = field(default_factory=list)
    """Clusters that later runs keep as they are."""

    @property
    def as_of(self) -> str:
        """The run as it is now, which later edits do not change: `r1`, `r1@2` with two edits."""
        return f"{self.id}@{self.edit}" if self.edit else self.id

    @property
    def found_layer(self) -> int:
        """Index of the layer that clustering recommended, whichever is shown."""
        return self.recommended if self.found is None else self.found


@dataclass(frozen=True)
class Members:
    """Which record is where, row for row: `ids`; `paths`, the finest cluster id or `noise`;
    `strengths` (n,) of the membership, 0 to 1; `centrality` (n,), the cosine to the mean of that
    cluster; `copies_of` (n,), equal for equal texts; `noise_reasons` (n,) str, empty in a cluster,
    None where a run was made before they were kept; `nearest` (n,) str, the theme that a record of
    the noise is nearest to, else empty: a level of its own, None where it was not asked for."""

    ids: list[str]
    paths: NDArray[np.object_]
    strengths: Floats
    centrality: Floats
    copies_of: NDArray[np.int32]
    noise_reasons: NDArray[np.object_] | None = None
    nearest: NDArray[np.object_] | None = None


@dataclass(frozen=True)
class GroupOffsets:
    """What the groups of some columns have in common in the vectors of a run, to be taken off.

    For each of the `columns`: in `values` the group of each value, by the value as JSON; `rest`,
    the group of values too rare to be named, -1 where there are none; in `offsets` (groups, dim)
    float32. `codes` (n, columns) int32: the group of each record, row for row with the members of
    the run, -1 for none. Along the `axes` (a, dim) all texts are set on the `centre` (dim,).
    """

    columns: list[str]
    values: list[dict[str, int]]
    rest: list[int]
    offsets: list[Floats]
    codes: Ints
    axes: Floats
    centre: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """How surely the clusters of a run come back when a part of the texts is clustered again."""

    rounds: int
    scores: dict[str, float]
    """Cluster id to its score, 0 to 1; clusters found by drilling down have none."""


Author = Literal["llm", "assistant", "person", "keywords"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One sentence of a summary, the record ids that support it, and those that seem not to."""

    text: str
    records: list[Verbatim] = field(default_factory=list)
    doubtful: list[Verbatim] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How well title and summary tell the cluster's texts from those of the nearest clusters.

    Tried on texts that the writer was not shown.
    """

    auc: float
    """0 to 1: the share of pairs of one text inside and one outside in which the one inside is
    nearer to the words; 0.5 is chance."""
    best: float
    """The AUC of the mean of the cluster's vectors: where that is low too, the border is blurred,
    and no words can do much better."""
    by: Verbatim
    """The spec of the embedder that compared; `lexical` where the dataset's own has no words."""
    inside: int
    outside: int
    """Texts that were compared."""
    passed_over: Verbatim | None = None
    """The part of the cluster of which the words say too little, if there is one."""
    precision: float | None = None
    recall: float | None = None
    """Of the model that sorted such texts by the words alone: the share of those it put inside that
    are, and the share of those inside that it found; None where none was asked."""
    sorted_by: Verbatim | None = None
    """The model that sorted."""


STALE = 0.3
"""Share of a cluster's records that may change before its words are stale. Of the clusters that are
kept with another seed (BANKING77, StackOverflow, tweet89: 152) half differ by less than 2 %, 93 of
100 by less than this: more is no wavering of the edges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a cluster is, in words."""

    cluster: str
    title: str
    summary: list[Sentence]
    keywords: list[str]
    misfits: str = ""
    """What does not fit, in the writer's words; empty where everything does."""
    author: Author
    note: str = ""
    """Why it is not what was asked for, such as a model's answer that was unfit; mostly empty."""
    alike: bool = False
    """Whether its title is nearly another's, and no call was left to tell them apart."""
    model: str | None = None
    created: str = ""
    carried_from: str | None = None
    """Where it was written, `r1:3`, `r1@2:3`, if that was in an earlier run or before an edit."""
    changed: float = 0.0
    """Share of the records, 0 to 1, that the cluster of then and the one of now have not in common,
    of the larger of both."""
    proof: Proof | None = None
    """None where too few texts were left to try it on, or where they are others now."""
    proved_on: str = ""
    """The run and cluster on whose texts the proof was measured, `r2:3`, if that was done again."""
    evidence_key: str = ""
    """Hash of the evidence it was written from."""
    prompt_key: str = ""
    """Hash of templates, model, focus and language: with another one it would be written anew."""

    @property
    def stale(self) -> bool:
        """Whether it was taken over for a cluster that has become another since it was written."""
        return self.carried_from is not None and self.changed >= STALE
