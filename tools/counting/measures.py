"""What is counted: records, the mean of a number, or what a group does to that mean.

In: `records`, `mean:rating`, `impact:rating`; out: the measure with the numbers of its column.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import DatasetCard
from corpuscope.tools.counting.dimensions import number_column
from corpuscope.tools.workspace.workspace import Workspace

Statistic: TypeAlias = Literal["records", "mean", "impact"]


@dataclass(frozen=True, eq=False)
class Measure:
    """`numbers` (n,) of `column`, NaN where a record has none; None where records are counted."""

    statistic: Statistic
    column: str = ""
    numbers: NDArray[np.float64] | None = None


def parse_measure(workspace: Workspace, card: DatasetCard, said: str) -> Measure:
    """The measure that a client means.

    Raises:
        BadInput: No such measure, or no column of numbers.
    """
    name, _, column = said.partition(":")
    statistic = next((each for each in get_args(Statistic) if each == name.strip()), None)
    if statistic is None or (statistic == "records") != (not column.strip()):
        raise BadInput(
            f"No measure '{said}'. Valid: records; mean:COLUMN, the mean of a column of numbers; "
            "impact:COLUMN, how far the mean of all would move without each group."
        )
    if statistic == "records":
        return Measure(statistic)
    column = column.strip()
    return Measure(statistic, column, number_column(workspace, card, column).numbers())
