"""What a client means by the two sides of a contrast: which records, of which dataset and run.

In: a cluster id, several, a run, `rest`, or an object of a filter with the keys `cluster`, `run`,
`dataset` and `where` in it, as JSON. Out: a side, with the rows of its dataset's table.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.ids import CLUSTER, RUN
from corpuscope.tools.core.schema import NOISE, DatasetCard
from corpuscope.tools.core.text import clean_text, shorten
from corpuscope.tools.tables.mask import Mask
from corpuscope.tools.tables.where import Where, parse_where
from corpuscope.tools.workspace.arguments import as_id
from corpuscope.tools.workspace.selection import Selection, select, shown_values
from corpuscope.tools.workspace.slices import cluster_mask
from corpuscope.tools.workspace.tables import record_table, where_rows
from corpuscope.tools.workspace.workspace import Workspace

SideSpec: TypeAlias = str | list[str] | dict[str, Any]
"""A side as a client writes it."""

REST = "rest"
KEYS = ("cluster", "run", "dataset", "where")
"""Of an object what is no column; a column that is called so stands below `where`."""

FORMS = (
    'A side is a cluster id ("3.1"), a list of ids, "rest", a run ("r2"), or a filter such as '
    '{"airline": "United"}, {"cluster": "3", "date": {"gte": "2024-05-01"}} or {"dataset": "other"}'
)

NAME_CHARACTERS, LABEL_CHARACTERS = 120, 28
"""What a side is called in full, and where it stands in every line."""

VALUES_OFFERED = 8
"""Values of a column that are named where a filter fits nothing."""

SIGNS = {"eq": "=", "ne": "≠", "gt": ">", "gte": "≥", "lt": "<", "lte": "≤"}


@dataclass(frozen=True)
class SideScope:
    """What the sides are of, unless they say otherwise."""

    dataset: str | None
    run: str | None
    layer: int | None


@dataclass(frozen=True)
class Wanted:
    """A side as it was written, taken apart."""

    clusters: tuple[str, ...] = ()
    run: str | None = None
    dataset: str | None = None
    where: Where | None = None

    @property
    def is_run(self) -> bool:
        """Whether a run is meant, and nothing else."""
        return self.run is not None and not self.clusters and not self.where


@dataclass(frozen=True, eq=False)
class Side:
    """The records of one side.

    `mask` (n,): which rows of its dataset's table; None for a run of records that the dataset no
    longer has. `selection` is None where the dataset has no run.
    """

    name: str
    label: str
    wanted: Wanted
    card: DatasetCard
    selection: Selection | None
    mask: Mask | None

    @property
    def records(self) -> int:
        """How many there are."""
        if self.mask is not None:
            return int(self.mask.sum())
        return self.selection.run.records if self.selection else 0

    @property
    def columns(self) -> frozenset[str]:
        """The columns that its filter names: what they hold is known."""
        return frozenset(name for name, _ in _conditions(self.wanted.where or {}))

    @property
    def words(self) -> frozenset[str]:
        """The words, in small letters, of the texts that its filter names."""
        values = (value for _, value in _conditions(self.wanted.where or {}))
        return frozenset(word for value in values for word in value.casefold().split())

    def shares_table_with(self, other: "Side") -> bool:
        """Whether both are rows of one table."""
        same = self.card.collection == other.card.collection
        return same and self.mask is not None and other.mask is not None


def read_sides(
    workspace: Workspace, scope: SideScope, a: SideSpec, b: SideSpec
) -> tuple[Side, Side]:
    """Both sides of a contrast.

    Raises:
        BadInput: One is none, or empty, or both are the same; `rest` of nothing.
        NotFound: No such dataset, run or cluster.
        NotReady: A cluster of a run of records that are no longer there.
    """
    if _is_rest(a) and _is_rest(b):
        raise BadInput(f"a and b are both '{REST}'. Name one of them. {FORMS}.")
    if _is_rest(a):
        other, first = read_sides(workspace, scope, b, a)
        return first, other
    first = _side(workspace, scope, _wanted(workspace, a, "a"))
    home = replace(scope, dataset=scope.dataset or first.card.name)
    if _is_rest(b):
        second = _rest(workspace, first)
    else:
        second = _side(workspace, home, _wanted(workspace, b, "b"))
    for name, side in (("a", first), ("b", second)):
        if not side.records:
            raise BadInput(f"{_empty(workspace, name, side, first)}")
    if _same(first, second):
        raise BadInput(
            f"a ({first.name}) and b ({second.name}) are the same {first.records:,} records: "
            f"nothing differs. Name another side, or leave b out for the rest. {FORMS}."
        )
    return _told_apart(first, second)


def run_alone(spec: SideSpec) -> str | None:
    """The run that a side means, where it names nothing else."""
    if isinstance(spec, dict) and [*spec] == ["run"]:
        spec = spec["run"]
    return spec.strip() if isinstance(spec, str) and RUN.fullmatch(spec.strip()) else None


def side_label(side: Side, fallback: str) -> str:
    """What a side is called in a line: short, or `fallback`."""
    return side.label if len(side.label) <= LABEL_CHARACTERS else fallback


def _is_rest(spec: SideSpec) -> bool:
    return isinstance(spec, str) and spec.strip().casefold() == REST


def _wanted(workspace: Workspace, spec: SideSpec, name: str) -> Wanted:
    """A side taken apart."""
    if isinstance(spec, str) and spec.lstrip()[:1] in ("{", "["):
        # Some clients write an object as a text.
        try:
            spec = json.loads(spec)
        except ValueError:
            raise BadInput(f"{name} is no JSON: {shorten(str(spec), 60)}. {FORMS}.") from None
    spec = as_id(spec)  # type: ignore[assignment]
    if isinstance(spec, dict):
        return _of_object(spec, name)
    if isinstance(spec, list):
        if not spec or not all(isinstance(each, str) for each in spec):
            raise BadInput(f"{name} is a list without ids of clusters. {FORMS}.")
        return Wanted(clusters=tuple(spec))
    word = spec.strip()
    if RUN.fullmatch(word):
        return Wanted(run=word)
    if CLUSTER.fullmatch(word):
        return Wanted(clusters=(word,))
    if word in {card.name for card in workspace.store.cards()}:
        return Wanted(dataset=word)
    raise BadInput(f"{name} is '{shorten(word, 40)}': no cluster, run or dataset. {FORMS}.")


def _of_object(spec: dict[str, Any], name: str) -> Wanted:
    clusters = as_id(spec.get("cluster", []))
    ids = [clusters] if isinstance(clusters, str) else clusters
    if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
        raise BadInput(f"{name}: 'cluster' takes an id or a list of ids. {FORMS}.")
    texts = {}
    for key in ("run", "dataset"):
        if not isinstance(value := spec.get(key), str | None):
            raise BadInput(
                f"{name}: '{key}' takes a name. A column called so goes into "
                f'{{"where": {{"{key}": …}}}}.'
            )
        texts[key] = value
    where = {column: value for column, value in spec.items() if column not in KEYS}
    if extra := spec.get("where"):
        where = {"and": [where, extra]} if where else extra
    return Wanted(tuple(ids), texts["run"], texts["dataset"], where or None)


def _side(workspace: Workspace, scope: SideScope, wanted: Wanted) -> Side:
    card = workspace.store.card(wanted.dataset or scope.dataset)
    at_home = scope.dataset in (None, card.name)
    run = wanted.run or (scope.run if at_home else None)
    selection = None
    if run or wanted.clusters or workspace.runs.ids(card.name):
        selection = select(workspace, card.name, run, scope.layer if at_home else None)
    parse_where(wanted.where, card.metadata_columns)
    side = Side("", "", wanted, card, selection, None)
    if wanted.is_run and selection and selection.run.collection != card.collection:
        return replace(side, name=f"run {wanted.run}", label=str(wanted.run))
    mask = where_rows(workspace, card, wanted.where)
    if selection and wanted.clusters:
        inside = np.zeros(len(mask), bool)
        for cluster in wanted.clusters:
            inside |= cluster_mask(workspace, selection, cluster)
        mask = mask & inside
    elif selection and wanted.run:
        mask = mask & _rows_of_run(workspace, selection)
    name, label = _named(side)
    return replace(side, name=name, label=label, mask=mask)


def _rest(workspace: Workspace, of: Side) -> Side:
    """All records that are not in a side; of clusters, those of their run."""
    if of.mask is None:
        raise BadInput(f"{of.name} is of records that '{of.card.name}' no longer has: name b.")
    mask = ~of.mask
    if of.wanted.clusters and of.selection:
        mask = mask & _rows_of_run(workspace, of.selection)
    return Side("the rest", "the rest", Wanted(), of.card, of.selection, mask)


def _rows_of_run(workspace: Workspace, selection: Selection) -> Mask:
    selection.check_current()
    table = record_table(workspace, selection.card)
    inside = np.zeros(len(table) + 1, bool)
    inside[table.rows_of(workspace.runs.members(selection.run).ids)] = True
    return inside[:-1]


def _same(a: Side, b: Side) -> bool:
    if a.mask is None or b.mask is None:
        return a.mask is b.mask and a.wanted == b.wanted
    if not a.shares_table_with(b) or (a.wanted.is_run and b.wanted.is_run):
        return a.wanted.is_run and a.wanted == b.wanted and a.card.name == b.card.name
    return np.array_equal(a.mask, b.mask)


def _empty(workspace: Workspace, name: str, side: Side, first: Side) -> str:
    """Why a side has no record, and what there is."""
    count = len(record_table(workspace, side.card))
    if side.name == "the rest":
        return (
            f"{name} (the rest) is empty: a ({first.name}) is all {first.records:,} records. "
            f"Name a narrower a. {FORMS}."
        )
    offered = ""
    for column, _ in _conditions(side.wanted.where or {}):
        if side.card.metadata_columns.get(column) in ("string", "boolean"):
            coded = record_table(workspace, side.card).column(column)
            often = np.bincount(coded.codes[coded.codes >= 0], minlength=len(coded.values))
            best = np.argsort(-often, kind="stable")[:VALUES_OFFERED]
            values = [str(coded.values[at]) for at in best]
            shown = shown_values(workspace, column, values)
            told = (shorten(clean_text(shown[value]), 40) for value in values)
            offered = f" Values of '{column}': {', '.join(told)}."
            break
    return (
        f"{name} ({side.name}) is empty: none of the {count:,} records of '{side.card.name}' fits."
        f"{offered} Widen it; `count` and `list-clusters` show what there is."
    )


def _told_apart(a: Side, b: Side) -> tuple[Side, Side]:
    """Both sides under names that differ."""
    labels = [side_label(a, "a"), side_label(b, "b")]
    if labels[0] == labels[1]:
        labels = ["a", "b"]
    return replace(a, label=labels[0]), replace(b, label=labels[1])


def _named(side: Side) -> tuple[str, str]:
    """What a side is called, in full and in short."""
    wanted, parts, short = side.wanted, [], []
    if wanted.dataset:
        parts.append(f"dataset {wanted.dataset}")
        short.append(wanted.dataset)
    if wanted.run:
        parts.append(f"run {wanted.run}")
        short.append(wanted.run)
    if side.selection and wanted.clusters:
        parts.append(" and ".join(_cluster_name(side.selection, id_) for id_ in wanted.clusters))
        short.append(" and ".join(wanted.clusters))
    if wanted.where:
        parts.append(where_in_words(wanted.where))
        plain = [value for value in wanted.where.values() if isinstance(value, str)]
        short.append(plain[0] if len(plain) == len(wanted.where) == 1 else parts[-1])
    if not parts:
        parts, short = [f"all of {side.card.name}"], ["all"]
    label = clean_text(short[0] if len(short) == 1 else ", ".join(short))
    return shorten(clean_text(", ".join(parts)), NAME_CHARACTERS), label


def _cluster_name(selection: Selection, cluster: str) -> str:
    if cluster == NOISE:
        return cluster
    return f"{cluster} {selection.label(selection.node(cluster))}".strip()


def where_in_words(where: Where) -> str:
    """A filter as a person says it: `airline = United, date ≥ 2024-05-01`; nested ones as JSON."""
    said = []
    for column, value in where.items():
        if column.casefold().lstrip("$") in ("and", "or", "not"):
            return json.dumps(where, ensure_ascii=False)
        if value is None:
            said.append(f"no {column}")
        elif isinstance(value, list):
            said.append(f"{column} in {', '.join(map(str, value))}")
        elif isinstance(value, dict):
            said += [
                f"{column} {SIGNS.get(str(sign).lstrip('$'), sign)} {bound}"
                for sign, bound in value.items()
            ]
        else:
            said.append(f"{column} = {value}")
    return ", ".join(said)


def _conditions(where: object) -> Iterator[tuple[str, str]]:
    """The columns of a filter with each value that is said of them, `text` among them."""
    if isinstance(where, list):
        for each in where:
            yield from _conditions(each)
    elif isinstance(where, dict):
        for column, value in where.items():
            if column.casefold().lstrip("$") in ("and", "or", "not"):
                yield from _conditions(value)
            else:
                yield from ((column, said) for said in _said(value))


def _said(value: object) -> Iterator[str]:
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _said(each)
    else:
        yield str(value)
