"""The tool `plot`: the map of a run as a page for people and a picture for the chat."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.excerpts import redact_value
from corpuscope.tools.core.ids import is_within
from corpuscope.tools.core.redaction import Redact
from corpuscope.tools.core.schema import NOISE, Floats, Ints, Members, Record, Result, Scalar, Watch
from corpuscope.tools.plotting.interactive import interactive_html
from corpuscope.tools.plotting.static import static_png
from corpuscope.tools.plotting.view import MapGroup, MapView
from corpuscope.tools.runs.run_map import ensure_map
from corpuscope.tools.workspace.arguments import DatasetName, RunId, as_id
from corpuscope.tools.workspace.selection import Selection, cluster_rows, select
from corpuscope.tools.workspace.workspace import Workspace

CLUSTER = "cluster"
# More colours than this nobody tells apart; the rest of a column's values is one group.
MOST_VALUES = 20
REST = "other values"
NO_VALUE = "no value"
LARGEST_SHOWN = 5
MAP_SHARE = 0.5


class PlotResult(Result):
    """Where the picture is and what it shows."""

    dataset: str
    run: str
    html: str
    """Path of the page; open it in a browser."""
    png: str
    """Path of the picture that comes with this answer."""
    color_by: str
    groups: int
    points: int
    noise: int
    largest: list[str]

    def as_text(self) -> str:
        """Where it is and what to see, in a few lines."""
        share = f", {self.noise / max(1, self.points):.0%} noise (grey)"
        return (
            f"Map of {self.points:,} records of '{self.dataset}' (run {self.run}), coloured by "
            f"{self.color_by}: {self.groups} groups{share if self.color_by == CLUSTER else ''}.\n"
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
    ] = CLUSTER,
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
    page = workspace.files.writable(save_as) if save_as else _default_page(workspace, selection)
    if page.suffix.lower() not in (".html", ".htm"):
        raise BadInput(f"save_as must end in .html, not '{page.suffix}': {page.name}")

    def mapping(fraction: float, message: str) -> None:
        watch.report(MAP_SHARE * fraction, message)

    points = ensure_map(workspace, selection.card, selection.run, mapping)
    members = workspace.runs.members(selection.run)
    rows = _rows(selection, members, cluster)
    watch.report(MAP_SHARE, "reading texts")
    records = workspace.store.fetch(selection.card, [members.ids[row] for row in rows])
    rows = np.array([row for row in rows if members.ids[row] in records], dtype=np.int64)
    shown = [records[members.ids[row]] for row in rows]
    if color_by == CLUSTER:
        groups, colours = _by_cluster(selection, members.paths[rows], cluster, layer)
    else:
        groups, colours = _by_column(selection, shown, color_by, workspace.redact)
    view = _view(selection, points[rows], (groups, colours), (shown, color_by, cluster))
    picture = _checked_picture(workspace, page, save_as)
    _draw(view, page, picture, watch)
    return PlotResult(
        dataset=selection.card.name,
        run=selection.run.id,
        html=str(page),
        png=str(picture),
        color_by=color_by,
        groups=len(groups),
        points=len(rows),
        noise=view.noise,
        largest=[f"{group.label} ({group.size:,})" for group in groups[:LARGEST_SHOWN]],
    )


def _default_page(workspace: Workspace, selection: Selection) -> Path:
    folder = workspace.home / "plots"
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return folder / f"{selection.card.name}-{selection.run.id}-{stamp}.html"


def _draw(view: MapView, page: Path, picture: Path, watch: Watch) -> None:
    watch.report(0.7, "drawing")
    page.write_text(interactive_html(view), encoding="utf-8")
    watch.report(0.85, "making the picture")
    picture.write_bytes(static_png(view))


def _checked_picture(workspace: Workspace, page: Path, save_as: str | None) -> Path:
    """The PNG beside the page; where the client chose the place, no link may lead elsewhere."""
    picture = page.with_suffix(".png")
    return workspace.files.writable(str(picture)) if save_as else picture


def _rows(selection: Selection, members: Members, cluster: str | None) -> NDArray[np.int64]:
    if cluster is None:
        return np.arange(len(members.ids))
    selection.check(cluster)
    return cluster_rows(selection.run, members, cluster)


def _by_cluster(
    selection: Selection, paths: NDArray[np.object_], cluster: str | None, layer: int | None
) -> tuple[list[MapGroup], Ints]:
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
        path: next((at for at, node in enumerate(nodes) if is_within(path, node.id)), -1)
        for path in set(paths)
    }
    return groups, np.array([place[path] for path in paths], dtype=np.int32)


def _by_column(
    selection: Selection, shown: list[Record], column: str, redact: Redact
) -> tuple[list[MapGroup], Ints]:
    known = selection.card.metadata_columns
    if column not in known:
        raise BadInput(
            f"Cannot colour by '{column}'. Valid: {CLUSTER}, {', '.join(known) or 'no metadata'}."
        )
    named = [_named(record.metadata.get(column)) for record in shown]
    # The picture goes to the model, and what reads alike there is one colour.
    told = {name: redact_value(column, name, redact) for name in set(named)}
    values = [told[name] for name in named]
    counts: dict[str, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    often = sorted(counts, key=lambda value: (-counts[value], value))
    kept = often if len(often) <= MOST_VALUES else often[: MOST_VALUES - 1]
    groups = [MapGroup(value, value, counts[value]) for value in kept]
    if len(kept) < len(often):
        rest = sum(counts[value] for value in often[len(kept) :])
        groups.append(MapGroup(REST, REST, rest))
    place = {value: min(at, len(groups) - 1) for at, value in enumerate(often)}
    return groups, np.array([place[value] for value in values], dtype=np.int32)


def _named(value: Scalar) -> str:
    return NO_VALUE if value is None else str(value)


def _view(
    selection: Selection,
    points: Floats,
    coloured: tuple[list[MapGroup], Ints],
    about: tuple[list[Record], str, str | None],
) -> MapView:
    groups, colours = coloured
    shown, color_by, cluster = about
    noise = int((colours < 0).sum())
    share = noise / max(1, len(colours))
    unit = "themes" if color_by == CLUSTER else f"values of {color_by}"
    part = f", cluster {cluster}" if cluster else ""
    grey = f", {share:.0%} in none" if color_by == CLUSTER else ""
    return MapView(
        title=f"{selection.card.name}{part}",
        subtitle=f"{len(shown):,} records, {len(groups)} {unit}{grey} (run {selection.run.id})",
        points=points,
        group=colours,
        groups=tuple(groups),
        noise=noise,
        hover=tuple(record.text for record in shown),
    )
