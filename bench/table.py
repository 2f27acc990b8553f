"""From figures to Markdown, and into the document of results, section by section."""

import importlib.metadata
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from statistics import median

from bench import processes

PACKAGES = [
    "corpuscope",
    "bertopic",
    "evoc",
    "fast_hdbscan",
    "hdbscan",
    "umap-learn",
    "pynndescent",
    "faiss-cpu",
    "numba",
    "numpy",
    "scipy",
    "scikit-learn",
    "mcp",
    "pymilvus",
    "milvus-lite",
]
PREFACE = """# How corpuscope compares

Written by `make bench`; every section says when, where and with what it was measured, and stays
until it is measured again.

All methods run in one process, each warmed up before, in turns, round by round; figures are
medians of the rounds, of seconds also the least and the most. corpuscope takes the number of the
round as its seed, the others draw their own. All get the same texts and vectors in memory; the
clock stops at the labels. BERTopic's seconds include the words of its topics.
"Memory added" is the peak above what was held before; "peak" is both together.

All records count, repeated texts too. AMI takes noise as one more class; ARI takes each noise
point as a cluster by itself, so that discarding points does not pay. "corpuscope" is its
recommended layer; "the tutorial's way" is HDBSCAN with sizes of 3 over the distances to the 50
nearest neighbours.
"""
MARK = re.compile(r"^<!-- section: (.+) -->\n", re.MULTILINE)
ORDER = ("compare", "csv", "steadiness", "describe", "steps", "store", "reads", "million")
"""Of the sections in the document, by the first word of their keys."""

TARGETS: dict[str, str] = {
    "corpuscope / EVoC": "≤ 1",
    "corpuscope / BERTopic": "≤ 0.25",
    "corpuscope, wordllama / BERTopic": "≤ 0.1",
    "corpuscope with its map / BERTopic": "≤ 0.7",
}
"""What a ratio is meant to be, by its name, and for a set of its own by `name, set`."""

NOT_THERE = "-"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table: its first column to the left, the rest to the right."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def spread(values: Sequence[float], digits: int = 1) -> str:
    """The median, and the least and the most where there are several: `8.7 (8.5 to 9.1)`."""
    middle = f"{median(values):,.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def ratios(
    pairs: Mapping[str, tuple[float, float]], where: str, targets: Mapping[str, str] = TARGETS
) -> str:
    """The table of named ratios on a set, beside what they are meant to be."""
    rows = [
        [
            name,
            f"{mine / theirs:.2f}",
            targets.get(f"{name}, {where}", targets.get(name, NOT_THERE)),
        ]
        for name, (mine, theirs) in pairs.items()
    ]
    return markdown(["ratio of seconds", "measured", "target"], rows)


def section(title: str, *parts: str) -> str:
    """A section: its title, its parts, and how it was measured."""
    return "\n".join([f"## {title}\n", *parts, _provenance()])


def updated(document: str, sections: Mapping[str, str]) -> str:
    """The document with these sections, by key, new or in place of what they were before."""
    pieces = MARK.split(document)[1:]
    sections_by_key = dict(zip(pieces[::2], pieces[1::2], strict=True)) | dict(sections)
    keys = sorted(sections_by_key, key=lambda key: (ORDER.index(key.split()[0]), key))
    return "\n".join(
        [PREFACE, *(f"<!-- section: {key} -->\n{sections_by_key[key].strip()}\n" for key in keys)]
    )


def write(file: Path, key: str, text: str) -> None:
    """Put one section into the document, as soon as it is measured."""
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    file.write_text(updated(before, {key: text}), encoding="utf-8")
    print(f"\n{text}\n", flush=True)


def _provenance() -> str:
    versions = ", ".join(f"{name} {version}" for name, version in _versions())
    command = shlex.join(["python", "-m", "bench", *sys.argv[1:]])
    return (
        f"<sub>{date.today()}, commit {_commit()}, `{command}`; {processes.machine()}; "
        f"Python {sys.version.split()[0]}, {versions}.</sub>\n"
    )


def _versions() -> list[tuple[str, str]]:
    there = {
        dist.name.lower().replace("_", "-"): dist for dist in importlib.metadata.distributions()
    }
    normal = {name: name.replace("_", "-") for name in PACKAGES}
    return [(name, there[normal[name]].version) for name in PACKAGES if normal[name] in there]


def _commit() -> str:
    """The commit that is checked out, and whether the tree has changes beyond it."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty=, with changes"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"
