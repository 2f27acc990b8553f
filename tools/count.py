"""The tool `count`: an exact group-by over all records of a dataset, or those that fit a filter."""

from typing import Annotated

import numpy as np
from pydantic import BeforeValidator, Field

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.counting.answer import CountResult
from corpuscope.tools.counting.dimensions import RunChoice, dimension, run_for
from corpuscope.tools.counting.measures import parse_measure
from corpuscope.tools.counting.tally import Question, RowOrder, one_way, two_way
from corpuscope.tools.workspace.arguments import (
    DatasetName,
    LayerIndex,
    RunId,
    WhereFilter,
    as_id,
)
from corpuscope.tools.workspace.slices import cluster_mask
from corpuscope.tools.workspace.tables import where_rows
from corpuscope.tools.workspace.workspace import Workspace

MOST_DIMENSIONS = 2


def names_asked_for(value: object) -> object:
    """Models say a name alone, or several with commas, where a list is meant."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def count(
    workspace: Workspace,
    by: Annotated[
        list[str],
        BeforeValidator(names_asked_for),
        Field(
            description="One or two of theme, heading, a column, a date column with day, week, "
            'month, quarter or year: ["theme", "created:day"]; the first is in rows.'
        ),
    ],
    dataset: DatasetName = None,
    where: WhereFilter = None,
    cluster: Annotated[
        str | None, BeforeValidator(as_id), Field(description="Only within this cluster.")
    ] = None,
    measure: Annotated[
        str,
        Field(
            description="records; mean:COLUMN of numbers; impact:COLUMN: how far the mean of all "
            "would move without each row, or by two periods what moved it."
        ),
    ] = "records",
    run: RunId = None,
    layer: LayerIndex = None,
    sort: Annotated[
        RowOrder, Field(description="Rows by records, by value or time, or by the measure.")
    ] = "usual",
    limit: Annotated[int, Field(ge=1, le=100, description="Rows; all others are one.")] = 25,
) -> CountResult:
    """Count records by theme, column or time: how many, which share, what stands out.

    Exact, over all records or a filter. Two `by` give a table with shares, lift and intervals, and
    first in words what is more frequent where. For what rises or falls: `trend`.
    """
    card = workspace.store.card(dataset)
    if not 1 <= len(by) <= MOST_DIMENSIONS:
        raise BadInput(
            f"`by` takes one or two names, not {len(by)}. Put the others into `where`, and call "
            "once for each of their values."
        )
    selection = run_for(workspace, card, RunChoice(run, layer, cluster is not None), by)
    measured = parse_measure(workspace, card, measure)
    dimensions = [dimension(workspace, card, selection, name) for name in by]
    if len({each.name for each in dimensions}) < len(dimensions):
        raise BadInput(f"`by` names {dimensions[0].name} twice. Give two different ones, or one.")
    mask = where_rows(workspace, card, where)
    if cluster is not None and selection is not None:
        mask = mask & cluster_mask(workspace, selection, cluster)
    part = "fit the filter" if where or cluster is None else f"are in cluster {cluster}"
    question = Question(
        card.name, selection, measured, np.flatnonzero(mask), len(mask), part, sort, limit
    )
    if len(dimensions) == 1:
        return one_way(question, dimensions[0])
    return two_way(question, dimensions[0], dimensions[1])
