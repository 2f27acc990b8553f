"""The tool `plot`: the map of a run as a page for people and a picture for the chat."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.ids import is_within
from corpuscope.tools.core.schema import NOISE, Ints, Members, Record, Result, Verbatim, Watch
from corpuscope.tools.plotting.interactive import interactive_html
from corpuscope.tools.plotting.static import static_png
from corpuscope.tools.plotting.view import MapGroup, MapView, group_values
from corpuscope.tools.runs.run_map import ensure_map
from corpuscope.tools.workspace.arguments import DatasetName, RunId, as_id
from corpuscope.tools.workspace.selection import Selection, cluster_rows, select, shown_values
from corpuscope.tools.workspace.workspace import Workspace

BY_CLUSTER = "cluster"
# More colours than this nobody tells apart; the rest of a column's values is one group.
MOST_COLOURS = 20
NO_VALUE = "no value"
LARGEST_NAMED = 5
# The share of the time that a map takes which is still missing.
LAYOUT_SHARE = 0.5


class PlotResult(Result):
    """Where the picture is and what it shows."""

    dataset: Verbatim
    run: Verbatim
    html: Verbatim
    """Path of the page; open it in a browser."""
    png: Verbatim
    """Path of the picture that comes with this answer."""
    color_by: Verbatim
    groups: int
    points: int
    noise: int
    largest: list[str]

    def as_text(self) -> str:
        """Where it is and what to see, in a few lines."""
        grey = ""
        if self.color_by == BY_CLUSTER:
            grey = f", {self.noise / max(1, self.points):.0%} noise (grey)"
        return (
            f"Map of {self.points:,} records of '{self.dataset}' (run {self.run}), coloured by "
            f"{self.color_by}: {self.groups} groups{grey}.\n"
            f"Largest: {'; '.join(self.largest) or 'none'}.\n"
            f"Interactive page: {self.html}\nPicture: {self.png}"
        )

    def pictures(self) -> list[Path]:
        """The map as PNG."""
        return [Path(self.png)]

    def documents(self) -> list[Path]:
        """The page."""
        return [Path(self.html)]


def plot(
    workspace: Workspace,
    watch: Watch,
    dataset: DatasetName = None,
    run: RunId = None,
    kind: Annotated[Literal["map"], Field(description="What to draw.")] = "map",
    color_by: Annotated[
        str, Field(description="cluster, or a metadata column (its most frequent values).")
    ] = BY_CLUSTER,
    cluster: Annotated[
        str | None,
        BeforeValidator(as_id),
        Field(description="Draw only this cluster, coloured by its sub-clusters (3, 3.1, noise)."),
    ] = None,
    layer: Annotated[
        int | None, Field(ge=0, description="Resolution: 0 is the coarsest; left out: recommended.")
    ] = None,
    save_as: Annotated[
        str | None,
        Field(
            description="File name of the page (.html) in an allowed folder; the PNG lies beside."
        ),
    ] = None,
) -> PlotResult:
    """Draw the map of a run: each record a point, near ones similar, coloured by cluster.

    Gives an interactive HTML page for the person (tell them its path) and a picture for you.
    Noise is grey. Titles are shown where clusters are described, else keywords. Nothing is
    computed anew but a map that is still missing.
    """
    selection = select(workspace, dataset, run)
    page = _page(workspace, selection, save_as)
    points = ensure_map(
        workspace,
        selection.card,
        selection.run,
        lambda fraction, message: watch.report(LAYOUT_SHARE * fraction, message),
    )
    members = workspace.runs.members(selection.run)
    rows = _rows(selection, members, cluster)
    watch.report(LAYOUT_SHARE, "reading texts")
    records = workspace.store.fetch(selection.card, [members.ids[row] for row in rows])
    rows = np.array([row for row in rows if members.ids[row] in records], dtype=np.int64)
    shown = [records[members.ids[row]] for row in rows]
    if color_by == BY_CLUSTER:
        groups, group = _by_cluster(selection, members.paths[rows], cluster, layer)
    else:
        groups, group = _by_column(workspace, selection, shown, color_by)
    noise = int((group < 0).sum())
    view = MapView(
        title=selection.card.name + (f", cluster {cluster}" if cluster else ""),
        subtitle=_subtitle(selection.run.id, color_by, (len(rows), len(groups), noise)),
        points=points[rows],
        group=group,
        groups=tuple(groups),
        noise=noise,
        hover=tuple(record.text for record in shown),
    )
    picture = _picture(workspace, page, save_as)
    watch.report(0.7, "drawing")
    page.write_text(interactive_html(view), encoding="utf-8")
    watch.report(0.85, "making the picture")
    picture.write_bytes(static_png(view))
    return PlotResult(
        dataset=selection.card.name,
        run=selection.run.id,
        html=str(page),
        png=str(picture),
        color_by=color_by,
        groups=len(groups),
        points=len(rows),
        noise=noise,
        largest=[f"{group.label} ({group.size:,})" for group in groups[:LARGEST_NAMED]],
    )


def _page(workspace: Workspace, selection: Selection, save_as: str | None) -> Path:
    """Where the page goes: where the client wants it, if it may be there, or into the home."""
    if save_as:
        page = workspace.files.writable(save_as)
        if page.suffix.lower() not in (".html", ".htm"):
            raise BadInput(f"save_as must end in .html, not '{page.suffix}': {page.name}")
        return page
    folder = workspace.home / "plots"
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return folder / f"{selection.card.name}-{selection.run.id}-{stamp}.html"


def _picture(workspace: Workspace, page: Path, save_as: str | None) -> Path:
    """The PNG beside the page; where the client chose the place, no link may lead elsewhere."""
    picture = page.with_suffix(".png")
    return workspace.files.writable(str(picture)) if save_as else picture


def _rows(selection: Selection, members: Members, cluster: str | None) -> NDArray[np.int64]:
    """The rows of the members to draw, rising: all, or those of a cluster."""
    if cluster is None:
        return np.arange(len(members.ids))
    selection.check(cluster)
    return cluster_rows(selection.run, members, cluster)


def _by_cluster(
    selection: Selection, paths: NDArray[np.object_], cluster: str | None, layer: int | None
) -> tuple[list[MapGroup], Ints]:
    """A group for each cluster of the layer, or for each part of `cluster`, the largest first.

    Beside them (n,) which group each of the `paths` is in, -1 for none.
    """
    run = selection.run
    if layer is not None and layer >= len(run.layers):
        raise BadInput(f"No layer {layer}: run {run.id} has 0 to {len(run.layers) - 1}.")
    if cluster is None:
        nodes = selection.standing_in(run.recommended if layer is None else layer)
    else:
        nodes = selection.children(cluster)
        if not nodes and cluster != NOISE:
            nodes = [selection.node(cluster)]
    nodes = sorted(nodes, key=lambda node: -node.size)
    groups = [MapGroup(node.id, selection.label(node), node.size) for node in nodes]
    place = {
        path: next((rank for rank, node in enumerate(nodes) if is_within(path, node.id)), -1)
        for path in set(paths)
    }
    return groups, np.array([place[path] for path in paths], dtype=np.int32)


def _by_column(
    workspace: Workspace, selection: Selection, shown: list[Record], column: str
) -> tuple[list[MapGroup], Ints]:
    """A group for each of the column's most frequent values, and (n,) which one each record has."""
    known = selection.card.metadata_columns
    if column not in known:
        raise BadInput(
            f"Cannot colour by '{column}'. Valid: {BY_CLUSTER}, "
            f"{', '.join(known) or 'no metadata'}."
        )
    values = [record.metadata.get(column) for record in shown]
    names = [NO_VALUE if value is None else str(value) for value in values]
    # The picture goes to the model, and what reads alike there is one colour.
    shown_as = shown_values(workspace, column, set(names))
    return group_values([shown_as[name] for name in names], MOST_COLOURS)


def _subtitle(run: str, color_by: str, counts: tuple[int, int, int]) -> str:
    """The map in numbers; `counts` are the records, the groups and the records in none."""
    records, groups, noise = counts
    shares = f"{groups} values of {color_by}"
    if color_by == BY_CLUSTER:
        shares = f"{groups} themes, {noise / max(1, records):.0%} in none"
    return f"{records:,} records, {shares} (run {run})"
