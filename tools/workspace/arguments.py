"""Arguments that several tools share: their types, and what a client is told of them."""

from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Field

from corpuscope.tools.tables.where import Where


def as_id(value: object) -> object:
    """Models say 3 or 3.1 as a number where an id is meant."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return [as_id(item) for item in value] if isinstance(value, list) else value


DatasetName: TypeAlias = Annotated[
    str | None, Field(description="The dataset; may be left out where there is only one.")
]


WhereFilter: TypeAlias = Annotated[
    Where | None,
    Field(
        description='Filter: {"venue": "BBC", "date": {"gte": "2024-04-01"}, "or": [{"text": '
        '{"contains": "refund"}}, {"score": {"lt": 3}}]}; eq, ne, gt, gte, lt, lte, in, not_in, '
        "contains, is_null; and, or, not."
    ),
]


RunId: TypeAlias = Annotated[
    str | None,
    Field(description="The run (r1, r2, …); left out: the default, which list-datasets names."),
]


LayerIndex: TypeAlias = Annotated[
    int | None,
    Field(ge=0, description="Resolution: 0 is the coarsest; left out: the one the run shows."),
]


ClusterId: TypeAlias = Annotated[
    str,
    BeforeValidator(as_id),
    Field(description="A cluster id as list-clusters shows it: 3, 3.1, or noise."),
]


HeadingsWanted: TypeAlias = Annotated[
    bool | None,
    Field(description="Whether themes stand under headings; left out: more than 40 do."),
]


FOCUS_CHARACTERS = 500
"""The most of what a person says about the corpus: it goes into every prompt."""


Focus: TypeAlias = Annotated[
    str | None,
    Field(
        max_length=FOCUS_CHARACTERS,
        description="A sentence for who writes descriptions, on the texts and how to look at them: "
        "'Tickets of a bank; by root cause, not by product'. Kept with the run; '' forgets it.",
    ),
]
