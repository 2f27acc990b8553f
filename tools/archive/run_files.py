"""The files in the folder of a run: their names, how they are written, and read when damaged.

A run is unreadable without `run.json` and the members; whatever else is damaged counts as absent.
What is damaged is moved aside, so that nothing stumbles over it twice and nothing is lost.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import numpy as np
from pydantic import ValidationError

from corpuscope.tools.archive.members import ends_as_members
from corpuscope.tools.core.files import complaint, written_aside
from corpuscope.tools.core.schema import (
    Description,
    Floats,
    GroupOffsets,
    Run,
    Stability,
    from_json,
    to_json,
)

Stored = TypeVar("Stored")

RUN_FILE = "run.json"
MEMBERS_FILE = "members.parquet"
MAP_FILE = "map.npy"
STABILITY_FILE = "stability.json"
DESCRIPTIONS = "descriptions"
EVIDENCE = "evidence"
FOCUS_FILE = "focus.txt"
CENTROIDS_FILE = "centroids.npz"
REFRESH_FILE = "refresh.json"
CHOSEN_RUN_FILE = "default.json"
CHOSEN_LAYER_FILE = "shown.json"
ORIGIN_FILE = "origin.json"
LAST_NUMBER_FILE = "last"
"""Written by older versions: the number of a deleted run, if it was the highest."""
OFFSETS_FILE = "group_offsets.npz"

UNREADABLE_ARRAYS = (
    ValueError, TypeError, EOFError, KeyError, IndexError, RuntimeError, BadZipFile
)  # fmt: skip
"""How numpy fails at a file that is not as it was written."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a run cannot be read, and whether its files are damaged; else they are whole, and of
    another version or out of reach."""

    why: str
    damaged: bool
    lasting: bool = True
    """Whether it stays as long as the file is not written anew."""


def unreached(error: OSError) -> Fault:
    """What the system says of a file that cannot be opened: no access, a folder, a loop."""
    file = Path(error.filename or RUN_FILE).name
    return Fault(f"{file}: {error.strerror}", damaged=False, lasting=False)


def run_fault(folder: Path) -> Fault | None:
    """What is wrong with a run's folder; None where it can be read, as far as is quickly seen."""
    try:
        text = (folder / RUN_FILE).read_bytes()
        if not text.strip(b"\0 \r\n\t"):
            return Fault(f"{RUN_FILE} is empty", damaged=True)
        from_json(Run, text)
        if not ends_as_members(folder / MEMBERS_FILE):
            return Fault(f"{MEMBERS_FILE} is cut off or empty", damaged=True)
    except ValidationError as error:
        why, damaged = complaint(error)
        return Fault(f"{RUN_FILE} is {why}", damaged)
    except FileNotFoundError as error:
        return Fault(f"{Path(error.filename).name} is missing", damaged=True)
    except OSError as error:
        return unreached(error)
    return None


def read_run(file: Path) -> Run:
    """The run of a file that is sound; raises as reading and parsing do."""
    return from_json(Run, file.read_bytes())


def read_stored(file: Path, kind: type[Stored]) -> Stored | None:
    """What is kept in a file; None where there is none, or none that can be read."""
    try:
        return from_json(kind, file.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        why, damaged = complaint(error)
        _pass_over(file, why, damaged=damaged)
        return None


def read_text(file: Path) -> str | None:
    """A text that is kept in a file; None where there is none, or none that can be read."""
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        _pass_over(file, str(error), damaged=True)
        return None


def read_arrays(file: Path, parts: Callable[[Any], Stored]) -> Stored | None:
    """What `parts` takes out of a file of numpy; None where there is none, or none to be read."""
    try:
        with file.open("rb") as opened:
            return parts(np.load(opened, allow_pickle=False))
    except FileNotFoundError:
        return None
    except UNREADABLE_ARRAYS as error:
        _pass_over(file, str(error), damaged=True)
        return None


def _pass_over(file: Path, why: str, *, damaged: bool) -> None:
    """Say that a file counts as absent; a damaged one is moved aside."""
    logger.warning("%s is passed over: it is %s", file, why)
    if damaged:
        try:
            file.replace(file.with_name(f"{file.name}.damaged"))
        except OSError as error:  # the home may be read-only
            logger.warning("%s cannot be moved aside: %s", file, error.strerror)


def write_stored(file: Path, stored: object) -> None:
    """Keep something in a file, which is there whole or as it was before."""
    with written_aside(file) as draft:
        draft.write_text(to_json(stored, indent=1), encoding="utf-8")


def write_or_drop(file: Path, stored: object | None) -> None:
    """Keep something in a file, or nothing."""
    if stored is None:
        file.unlink(missing_ok=True)
    else:
        write_stored(file, stored)


def write_stability(folder: Path, stability: Stability) -> None:
    """Write how surely clusters come back into the folder of a run that is about to appear."""
    _write(folder / STABILITY_FILE, stability)


def write_descriptions(folder: Path, descriptions: Mapping[str, Description]) -> None:
    """Write descriptions into the folder of a run that is about to appear."""
    if descriptions:
        (folder / DESCRIPTIONS).mkdir(exist_ok=True)
    for cluster_id, description in descriptions.items():
        _write(folder / DESCRIPTIONS / f"{cluster_id}.json", description)


def write_centroids(folder: Path, centroids: Mapping[str, Floats]) -> None:
    """Write centroids, (dim,) by cluster id, into the folder of a run that is about to appear."""
    if centroids:
        vectors = np.stack([*centroids.values()]).astype(np.float16)
        np.savez(folder / CENTROIDS_FILE, ids=np.array([*centroids]), vectors=vectors)


def read_centroids(file: Path) -> dict[str, Floats]:
    """The (dim,) float32 centroids by cluster id; none where there is no file."""

    def parts(arrays: Any) -> dict[str, Floats]:
        vectors: Floats = arrays["vectors"].astype(np.float32)
        return dict(zip(map(str, arrays["ids"]), vectors, strict=True))

    return read_arrays(file, parts) or {}


def write_offsets(folder: Path, offsets: GroupOffsets) -> None:
    """Write what was taken off the vectors of a run that is about to appear."""
    groups = {"columns": offsets.columns, "values": offsets.values, "rest": offsets.rest}
    arrays: dict[str, Any] = {f"offsets_{at}": each for at, each in enumerate(offsets.offsets)}
    arrays |= {"groups": np.array(json.dumps(groups)), "codes": offsets.codes}
    arrays |= {"axes": offsets.axes, "centre": offsets.centre}
    np.savez(folder / OFFSETS_FILE, **arrays)


def read_offsets(file: Path) -> GroupOffsets | None:
    """What was taken off the vectors of a run; None where there is no file."""

    def parts(arrays: Any) -> GroupOffsets:
        known = json.loads(str(arrays["groups"]))
        offsets = [arrays[f"offsets_{at}"] for at in range(len(known["columns"]))]
        arrays_of = {name: arrays[name] for name in ("codes", "axes", "centre")}
        return GroupOffsets(**known, offsets=offsets, **arrays_of)

    return read_arrays(file, parts)


def write_map(folder: Path, points: Floats) -> None:
    """Write a map, (n, 2), into the folder of a run that is about to appear."""
    np.save(folder / MAP_FILE, points)


def write_focus(folder: Path, focus: str) -> None:
    """Write what the person said into the folder of a run that is about to appear."""
    (folder / FOCUS_FILE).write_text(focus, encoding="utf-8")


def _write(file: Path, stored: object) -> None:
    """Write into a folder that is itself still aside."""
    file.write_text(to_json(stored, indent=1), encoding="utf-8")
