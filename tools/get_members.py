"""The tool `get-members`."""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from corpuscope.tools.clustering.noise import NoiseKind, noise_kind
from corpuscope.tools.core.errors import BadInput, NotReady
from corpuscope.tools.core.excerpts import (
    COLUMNS_SHOWN,
    PAGE_CHARACTERS,
    metadata_line,
    shortened_values,
)
from corpuscope.tools.core.ids import is_within
from corpuscope.tools.core.schema import (
    NOISE,
    DatasetCard,
    Members,
    Record,
    Result,
    Run,
    Scalar,
    Verbatim,
)
from corpuscope.tools.core.text import shorten
from corpuscope.tools.workspace.arguments import (
    DatasetName,
    LayerIndex,
    RunId,
    WhereFilter,
    as_id,
)
from corpuscope.tools.workspace.selection import (
    cluster_rows,
    select,
    shown_records,
    theme_places,
)
from corpuscope.tools.workspace.tables import where_members
from corpuscope.tools.workspace.workspace import Workspace

ALL = "all"
"""Every record of the run, in place of a cluster."""


class MemberLine(Result):
    """One record of a cluster."""

    id: Verbatim
    text: str
    strength: float
    cluster: Verbatim
    """The finest cluster that it is in."""
    theme: Verbatim
    """The theme of the layer shown that it is in, or a part of it that was split off; `noise` in
    none."""
    noise_reason: Verbatim | None = None
    """Why it is noise: `between 3 and 7.1`; None in a cluster, or where that is not known."""
    metadata: dict[str, Scalar]

    def as_text(self) -> str:
        """The record in a line or more."""
        return f"[{self.id}] {self._said()}"

    def with_theme(self) -> str:
        """The same with the theme before the text."""
        return f"[{self.id}] ({self.theme}) {self._said()}"

    def _said(self) -> str:
        why = f" ({self.noise_reason})" if self.noise_reason else ""
        return f"{self.text}{metadata_line(self.metadata)}{why}"


class MemberPage(Result):
    """A page of the records of a cluster."""

    dataset: Verbatim
    run: Verbatim
    cluster: Verbatim
    total: int
    offset: int
    next_offset: int | None
    gone: int
    """Records of the run that the dataset no longer has."""
    of_noise: int
    """How many of `total` are noise that stands beside the cluster (with_noise)."""
    members: list[MemberLine]

    def as_text(self) -> str:
        """The page, with how to go on."""
        if self.offset >= self.total:
            past = f"offset {self.offset} is past the end of {self.total:,}."
            fits = "it is empty, or none fits the filters."
            return f"No record of {self.cluster} (run {self.run}): {past if self.total else fits}"
        first = self.offset + 1 if self.members else 0
        last = self.offset + len(self.members) + self.gone
        beside = f" and the noise beside it ({self.of_noise:,})" if self.of_noise else ""
        if self.cluster == ALL:
            lines = [
                f"Records {first} to {last} of {self.total:,} of run {self.run}, each with its "
                "theme:",
                *(member.with_theme() for member in self.members),
            ]
        else:
            where = f"{self.cluster}{beside} (run {self.run})"
            lines = [f"Records {first} to {last} of {self.total:,} in {where}:"]
            lines += [member.as_text() for member in self.members]
        if self.gone:
            lines.append(f"{self.gone} records of the run are no longer in the dataset.")
        if self.next_offset is not None:
            lines.append(f"More: call again with offset={self.next_offset}.")
        return "\n".join(lines)


def get_members(
    workspace: Workspace,
    cluster: Annotated[
        str,
        BeforeValidator(as_id),
        Field(description='A cluster id (3, 3.1), noise, or "all": every record of the run.'),
    ],
    dataset: DatasetName = None,
    run: RunId = None,
    layer: LayerIndex = None,
    sort: Annotated[
        Literal["central", "edge", "random"],
        Field(description="central: most typical first; edge: least typical first; random."),
    ] = "central",
    where: WhereFilter = None,
    noise_reason: Annotated[
        NoiseKind | None,
        Field(
            description="Of the noise only this kind: between two clusters, at the edge of one, in "
            "a small group, isolated, or diffuse (near others, but in no dense group)."
        ),
    ] = None,
    with_noise: Annotated[
        bool,
        Field(description="Also the noise nearest to it, after cluster(noise='assign')."),
    ] = False,
    fields: Annotated[
        list[str] | None,
        Field(description="Metadata columns to show; [] for none. Left out: the first 12."),
    ] = None,
    limit: Annotated[int, Field(ge=1, le=100, description="Records on a page.")] = 10,
    offset: Annotated[int, Field(ge=0, description="Records to skip.")] = 0,
    seed: Annotated[int, Field(ge=0, description="Seed of the random order.")] = 0,
) -> MemberPage:
    """Read the texts in a cluster, in the noise or of the whole run, with their metadata.

    Use it to check what a theme really holds, or to quote. Long texts are shortened. Strength, 0
    to 1, says how firmly a record belongs; in the noise it is 0, and each record says why it is
    noise.
    """
    selection = select(workspace, dataset, run, layer)
    if cluster != ALL:
        selection.check(cluster)
    _check_fields(selection.card, fields)
    members = workspace.runs.members(selection.run)
    rows = np.arange(len(members.ids), dtype=np.int64)
    if cluster != ALL:
        rows = cluster_rows(selection.run, members, cluster)
    if with_noise and cluster != ALL:
        rows = np.union1d(rows, _noise_beside(selection.run.id, members, cluster))
    if noise_reason is not None:
        rows = _noise_of_kind(selection.run, members, rows, cluster, noise_reason)
    if where:
        rows = np.asarray(rows, dtype=np.int64)
        ids = [members.ids[row] for row in rows]
        rows = rows[where_members(workspace, selection.card, where, ids)]
    rows = _ordered(members, rows, sort, seed)
    page = rows[offset : offset + limit]
    ids = [members.ids[row] for row in page]
    records = shown_records(workspace, selection.card, ids, fields)
    most = PAGE_CHARACTERS // max(1, len(page))
    themes = theme_places(selection.run, {str(members.paths[row]) for row in page})
    lines = [
        _line(records[members.ids[row]], members, int(row), most, themes)
        for row in page
        if members.ids[row] in records
    ]
    after = offset + len(page)
    return MemberPage(
        dataset=selection.card.name,
        run=selection.run.id,
        cluster=cluster,
        total=len(rows),
        offset=offset,
        next_offset=after if after < len(rows) else None,
        gone=len(page) - len(lines),
        of_noise=_count_beside(members, rows, cluster) if with_noise and cluster != ALL else 0,
        members=lines,
    )


def _check_fields(card: DatasetCard, fields: list[str] | None) -> None:
    unknown = [name for name in fields or () if name not in card.metadata_columns]
    if unknown:
        there = ", ".join(card.metadata_columns) or "none"
        raise BadInput(
            f"'{card.name}' has no column {', '.join(repr(name[:40]) for name in unknown[:5])}. "
            f"Columns: {there}. Leave fields out to see the first {COLUMNS_SHOWN} with a value."
        )


def _noise_beside(run: str, members: Members, cluster: str) -> NDArray[np.int64]:
    """The rows of the noise that is nearest to a cluster, or to one below it."""
    if members.nearest is None:
        raise NotReady(
            f"Run {run} does not say which theme its noise is nearest to. Cluster again with "
            "noise='assign'."
        )
    return np.flatnonzero([is_within(str(theme), cluster) for theme in members.nearest])


def _count_beside(members: Members, rows: NDArray[np.int64], cluster: str) -> int:
    return sum(not is_within(str(path), cluster) for path in members.paths[rows])


def _noise_of_kind(
    run: Run, members: Members, rows: NDArray[np.int64], cluster: str, kind: NoiseKind
) -> NDArray[np.int64]:
    if cluster != NOISE:
        raise BadInput(f"noise_reason fits cluster='{NOISE}' only, not '{cluster}'. Leave it out.")
    if members.noise_reasons is None:
        if run.found is not None:
            raise NotReady(
                f"Why a record is noise is known for layer {run.found} of {run.id} alone, not for "
                f"{run.recommended}. Leave noise_reason out, or give layer={run.found}."
            )
        raise NotReady(
            f"Run {run.id} was made before reasons were kept. Cluster again to get them."
        )
    return np.array(
        [r for r in rows if noise_kind(members.noise_reasons[r]) == kind], dtype=np.int64
    )


def _ordered(members: Members, rows: NDArray[np.int64], sort: str, seed: int) -> NDArray[np.int64]:
    if sort == "random":
        return np.random.default_rng(seed).permutation(rows)
    sign = -1 if sort == "central" else 1
    order = np.argsort(sign * members.centrality[rows], kind="stable")
    return np.asarray(rows[order])


def _line(
    record: Record, members: Members, row: int, most: int, themes: dict[str, str]
) -> MemberLine:
    reasons = members.noise_reasons
    return MemberLine(
        id=record.id,
        text=shorten(record.text, most),
        strength=round(float(members.strengths[row]), 3),
        cluster=str(members.paths[row]),
        theme=themes[str(members.paths[row])],
        noise_reason=None if reasons is None else str(reasons[row]) or None,
        metadata=shortened_values(record.metadata),
    )
