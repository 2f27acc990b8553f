"""Where the layers of a run were found: the run that it, or one before it, was made of."""

from dataclasses import replace
from typing import TYPE_CHECKING

from corpuscope.tools.archive.defaults import Origin
from corpuscope.tools.archive.run_files import ORIGIN_FILE, write_stored
from corpuscope.tools.core.schema import Run

if TYPE_CHECKING:
    from corpuscope.tools.archive.runs import Runs


def original_run(runs: "Runs", run: Run) -> Run:
    """The run whose parameters found the layers of this one, which may be a later one of the same
    records: with one cluster split, or new records assigned."""
    while earlier := run.parent_run or run.assigned_from:
        if origin := runs.origin(run):  # the earlier run was deleted
            if origin.parameters.get("where") == run.parameters.get("where"):
                run = replace(run, parameters=origin.parameters)
            break
        parent = runs.earlier(run.dataset, earlier)
        if parent is None or parent.parameters.get("where") != run.parameters.get("where"):
            break  # the run of a part, clustered by itself
        run = parent
    return run


def hand_down(runs: "Runs", dataset: str, deleted: str) -> None:
    """Keep the parameters of a deleted run with those made of it by a split or assignment."""
    for other in [runs.load(dataset, id_) for id_ in runs.ids(dataset)]:
        if deleted in (other.parent_run, other.assigned_from):
            origin = Origin(parameters=original_run(runs, other).parameters)
            write_stored(runs.folder(dataset, other.id) / ORIGIN_FILE, origin)
