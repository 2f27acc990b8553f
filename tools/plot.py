"""The tool `plot`: the map of a run as a page for people and a picture for the chat."""

import itertools
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from corpuscope.tools.clustering.headings import MOST_WITHOUT
from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.files import written_aside
from corpuscope.tools.core.ids import is_within
from corpuscope.tools.core.schema import NOISE, Ints, Members, Node, Record, Result, Verbatim, Watch
from corpuscope.tools.counting.dimensions import column_and_bin
from corpuscope.tools.plotting.interactive import interactive_html
from corpuscope.tools.plotting.static import static_png
from corpuscope.tools.plotting.view import MapGroup, MapView, group_values
from corpuscope.tools.runs.run_map import ensure_map
from corpuscope.tools.tables.periods import Bin, date_periods, fitting_bin
from corpuscope.tools.tables.where import Where
from corpuscope.tools.workspace.arguments import (
    DatasetName,
    HeadingsWanted,
    LayerIndex,
    RunId,
    WhereFilter,
    as_id,
)
from corpuscope.tools.workspace.headings import (
    ThemeGroup,
    parts_of,
    theme_groups,
)
from corpuscope.tools.workspace.selection import Selection, cluster_rows, select, shown_values
from corpuscope.tools.workspace.tables import record_table, where_members
from corpuscope.tools.workspace.workspace import Workspace

BY_CLUSTER = "cluster"
OTHER_THEMES = "themes under no heading"
# More colours than this nobody tells apart; the rest of a column's values is one group.
MOST_COLOURS = 20
NO_VALUE = "no value"
LARGEST_NAMED = 5
# The share of the time that a map takes which is still missing.
LAYOUT_SHARE = 0.5
DRAWN = re.compile(
    r"(?P<stem>[a-z][a-z0-9_]*-r\d+-(?P<stamp>\d{8}-\d{6})(?:-(?P<number>\d+))?)\.(?:html|png)"
)
"""How maps in the home are named: only such files are ever pruned."""


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
    themes: int = 0
    """Where the groups are headings: the themes below them; else 0."""
    points: int
    noise: int
    largest: list[str]

    def as_text(self) -> str:
        """Where it is and what to see, in a few lines."""
        grey = ""
        if self.color_by == BY_CLUSTER:
            grey = f", {self.noise / max(1, self.points):.0%} noise (grey)"
        below = ""
        if self.themes:
            below = (
                f" over {self.themes} themes (named on hover; cluster=… draws one with its themes, "
                "headings=false gives every theme a colour)"
            )
        return (
            f"Map of {self.points:,} records of '{self.dataset}' (run {self.run}), coloured by "
            f"{self.color_by}: {self.groups} groups{below}{grey}.\n"
            f"Largest: {'; '.join(self.largest) or 'none'}.\n"
            f"Interactive page: {self.html}\nPicture: {self.png}"
        )

    def pictures(self) -> list[Path]:
        """The map as PNG."""
        return [Path(self.png)]

    def documents(self) -> list[str]:
        """The page."""
        return [Path(self.html).as_uri()]


@dataclass(frozen=True)
class _Colours:
    """A map's groups, and (n,) which one each point is in, -1 for none; where they are headings,
    how many themes are below them, and (n,) the theme of each point."""

    groups: list[MapGroup]
    group: Ints
    themes: int = 0
    theme_of: tuple[str, ...] = ()


def plot(
    workspace: Workspace,
    watch: Watch,
    dataset: DatasetName = None,
    run: RunId = None,
    kind: Annotated[Literal["map"], Field(description="What to draw.")] = "map",
    color_by: Annotated[
        str,
        Field(description="cluster, or a column (dates by created:month)."),
    ] = BY_CLUSTER,
    cluster: Annotated[
        str | None,
        BeforeValidator(as_id),
        Field(description="Draw only this cluster, coloured by what is below it (3, 3.1, noise)."),
    ] = None,
    layer: LayerIndex = None,
    headings: HeadingsWanted = None,
    where: WhereFilter = None,
    save_as: Annotated[
        str | None,
        Field(
            description="File name of the page (.html) in an allowed folder; the PNG lies beside."
        ),
    ] = None,
) -> PlotResult:
    """Draw the map of a run: each record a point, near ones similar, coloured by cluster.

    Gives an interactive HTML page for the person (tell them its path) and a picture for you. More
    than 40 themes are coloured by their headings. Noise is grey. Titles are shown where clusters
    are described, else keywords. Nothing is computed anew but a map that is still missing.
    """
    selection = select(workspace, dataset, run, layer)
    asked_for = _asked_for(workspace, save_as) if save_as else None
    points = ensure_map(
        workspace,
        selection.card,
        selection.run,
        lambda fraction, message: watch.report(LAYOUT_SHARE * fraction, message),
    )
    members = workspace.runs.members(selection.run)
    rows = _rows(selection, members, cluster)
    if where:
        rows = _fitting(workspace, selection, members, rows, where)
    watch.report(LAYOUT_SHARE, "reading texts")
    records = workspace.store.fetch(selection.card, [members.ids[row] for row in rows])
    rows = np.array([row for row in rows if members.ids[row] in records], dtype=np.int64)
    shown = [records[members.ids[row]] for row in rows]
    if color_by == BY_CLUSTER:
        colours = _by_cluster(selection, members.paths[rows], cluster, headings)
    else:
        colours = _by_column(workspace, selection, shown, color_by)
    if where:
        colours = _as_drawn(colours)
    largest = sorted(colours.groups, key=lambda group: -group.size)
    groups, noise = colours.groups, int((colours.group < 0).sum())
    view = MapView(
        title=selection.card.name
        + (f", cluster {cluster}" if cluster else "")
        + (", filtered" if where else ""),
        subtitle=_subtitle(selection.run.id, color_by, colours),
        points=points[rows],
        group=colours.group,
        groups=tuple(groups),
        noise=noise,
        hover=tuple(record.text for record in shown),
        themes=colours.theme_of,
    )
    watch.report(0.7, "drawing")
    html = interactive_html(view)
    watch.report(0.85, "making the picture")
    page, picture = _written(workspace, selection, asked_for, (html, static_png(view)))
    return PlotResult(
        dataset=selection.card.name,
        run=selection.run.id,
        html=str(page),
        png=str(picture),
        color_by=color_by,
        groups=len(groups),
        themes=colours.themes,
        points=len(rows),
        noise=noise,
        largest=[f"{group.label} ({group.size:,})" for group in largest[:LARGEST_NAMED]],
    )


def _asked_for(workspace: Workspace, save_as: str) -> Path:
    """The page that the client wants, if it may be there."""
    page = workspace.files.writable(save_as)
    if page.suffix.lower() not in (".html", ".htm"):
        raise BadInput(f"save_as must end in .html, not '{page.suffix}': {page.name}")
    return page


def _written(
    workspace: Workspace, selection: Selection, asked_for: Path | None, drawn: tuple[str, bytes]
) -> tuple[Path, Path]:
    """The page and the picture, written where the client wants them, or into the home."""
    if asked_for is not None:
        # No link may lead elsewhere.
        picture = workspace.files.writable(str(asked_for.with_suffix(".png")))
        _write_both((asked_for, picture), drawn)
        return asked_for, picture
    folder = workspace.home / "plots"
    folder.mkdir(parents=True, exist_ok=True)
    page = _free_page(folder, f"{selection.card.name}-{selection.run.id}")
    try:
        _write_both((page, page.with_suffix(".png")), drawn)
    except OSError:
        for unfinished in (page, page.with_suffix(".png")):
            unfinished.unlink(missing_ok=True)
        raise
    _prune(folder, workspace.plots_kept)
    return page, page.with_suffix(".png")


def _write_both(places: tuple[Path, Path], drawn: tuple[str, bytes]) -> None:
    with written_aside(places[1]) as draft:
        draft.write_bytes(drawn[1])
    with written_aside(places[0]) as draft:
        draft.write_text(drawn[0], encoding="utf-8")


def _free_page(folder: Path, name: str) -> Path:
    """A page by this name and the present second that nobody has; it is there, and empty."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    for number in itertools.count(1):
        page = folder / f"{name}-{stamp}{f'-{number}' if number > 1 else ''}.html"
        with suppress(FileExistsError):
            page.touch(exist_ok=False)
            return page
    raise AssertionError("numbers do not end")


def _prune(folder: Path, most: int) -> None:
    """Delete the oldest maps that were drawn into the home, but for `most`."""
    named = [found for file in folder.iterdir() if (found := DRAWN.fullmatch(file.name))]
    ages = {found["stem"]: (found["stamp"], int(found["number"] or 1)) for found in named}
    for stem in sorted(ages, key=lambda stem: ages[stem], reverse=True)[most:]:
        for suffix in (".html", ".png"):
            (folder / f"{stem}{suffix}").unlink(missing_ok=True)


def _rows(selection: Selection, members: Members, cluster: str | None) -> NDArray[np.int64]:
    """The rows of the members to draw, rising: all, or those of a cluster."""
    if cluster is None:
        return np.arange(len(members.ids))
    selection.check(cluster)
    return cluster_rows(selection.run, members, cluster)


def _fitting(
    workspace: Workspace,
    selection: Selection,
    members: Members,
    rows: NDArray[np.int64],
    where: Where,
) -> NDArray[np.int64]:
    """Those of the rows whose records fit a filter."""
    ids = [members.ids[row] for row in rows]
    fitting = rows[where_members(workspace, selection.card, where, ids)]
    if not len(fitting):
        raise BadInput(
            f"None of the {len(rows):,} records fits the filter, so there is nothing to draw. "
            "Widen it; list-clusters with the same where counts what fits."
        )
    return fitting


def _as_drawn(colours: _Colours) -> _Colours:
    """Groups with the sizes that are drawn, and none that has no point."""
    sizes = np.bincount(colours.group[colours.group >= 0], minlength=len(colours.groups))
    kept = np.flatnonzero(sizes)
    place = np.full(len(sizes) + 1, -1, np.int32)
    place[kept] = np.arange(len(kept))
    groups = [replace(colours.groups[at], size=int(sizes[at])) for at in kept]
    return replace(colours, groups=groups, group=place[colours.group])


def _by_cluster(
    selection: Selection,
    paths: NDArray[np.object_],
    cluster: str | None,
    headings: bool | None,
) -> _Colours:
    """A group for each theme that is shown, or for each heading above them, or for each part of
    `cluster`, the largest first, of points at these (n,) paths."""
    if cluster is None:
        if groups := theme_groups(selection, headings):
            return _by_heading(selection, paths, groups)
        nodes = selection.standing_in(selection.run.recommended)
    else:
        nodes = parts_of(selection, cluster)
        if not nodes and cluster != NOISE:
            nodes = [selection.node(cluster)]
    nodes = sorted(nodes, key=lambda node: -node.size)
    return _Colours(_map_groups(selection, nodes), _places(nodes, paths))


def _by_heading(
    selection: Selection, paths: NDArray[np.object_], grouped: list[ThemeGroup]
) -> _Colours:
    """A group for each heading; themes below none have one each, or one where they are many."""
    themes = [theme for group in grouped for theme in group.themes]
    groups: list[MapGroup] = []
    colour_of: list[int] = []
    for group in grouped:
        alone = group.heading is None and len(grouped) + len(group.themes) <= MOST_WITHOUT
        if alone:
            colour_of += range(len(groups), len(groups) + len(group.themes))
            groups += _map_groups(selection, group.themes)
        else:
            colour_of += [len(groups)] * len(group.themes)
            name = selection.label(group.heading) if group.heading else OTHER_THEMES
            id_ = group.heading.id if group.heading else OTHER_THEMES
            groups.append(MapGroup(id_, name, group.size))
    # The last one is reached by the place -1.
    place = _places(themes, paths)
    names = [selection.label(theme) for theme in themes] + [""]
    return _Colours(
        groups,
        np.array([*colour_of, -1], np.int32)[place],
        len(themes),
        tuple(names[theme] for theme in place),
    )


def _map_groups(selection: Selection, nodes: Sequence[Node]) -> list[MapGroup]:
    return [MapGroup(node.id, selection.label(node), node.size) for node in nodes]


def _places(nodes: Sequence[Node], paths: NDArray[np.object_]) -> Ints:
    """(n,) which of the clusters each path lies in, -1 for none."""
    place = {
        path: next((rank for rank, node in enumerate(nodes) if is_within(path, node.id)), -1)
        for path in set(paths)
    }
    return np.array([place[path] for path in paths], dtype=np.int32)


def _by_column(
    workspace: Workspace, selection: Selection, shown: list[Record], said: str
) -> _Colours:
    """A group for each of the column's most frequent values, or of its periods in their order, and
    (n,) which one each record has."""
    column, bin_ = column_and_bin(selection.card, said, BY_CLUSTER)
    if selection.card.metadata_columns[column] == "date":
        names = _period_names(workspace, selection, shown, (column, bin_))
        return _Colours(*group_values(names, MOST_COLOURS, by_value=True))
    values = [record.metadata.get(column) for record in shown]
    names = [NO_VALUE if value is None else str(value) for value in values]
    # The picture goes to the model, and what reads alike there is one colour.
    shown_as = shown_values(workspace, column, set(names))
    return _Colours(*group_values([shown_as[name] for name in names], MOST_COLOURS))


def _period_names(
    workspace: Workspace, selection: Selection, shown: list[Record], said: tuple[str, Bin | None]
) -> list[str]:
    """The period of each record's date: of the bin asked for, or of one with a colour for each."""
    table = record_table(workspace, selection.card)
    column = table.column(said[0])
    periods = date_periods(column, said[1] or fitting_bin(column, MOST_COLOURS))
    names = [*periods.names, NO_VALUE]
    rows = table.rows_of([record.id for record in shown])
    return [names[at] for at in np.append(periods.codes, -1)[rows]]


def _subtitle(run: str, color_by: str, colours: _Colours) -> str:
    """The map in numbers."""
    records, count = len(colours.group), len(colours.groups)
    shares = f"{count} values of {color_by}"
    if color_by == BY_CLUSTER:
        noise = int((colours.group < 0).sum())
        themes = f"{colours.themes} themes by heading" if colours.themes else f"{count} themes"
        shares = f"{themes}, {noise / max(1, records):.0%} in none"
    return f"{records:,} records, {shares} (run {run})"
