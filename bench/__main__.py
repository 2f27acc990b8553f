"""The command of the benchmark: `python -m bench`, or `make bench BENCH="…"`.

Without --steps, --store, --reads, --csv, --million or --describe it compares the methods and looks
at their steadiness; with any of these it measures those instead. What is not measured this time
stays in the results. Memory is read from /proc, so that it runs on Linux only.
"""

import argparse
from pathlib import Path

from bench import compare, description_report, from_csv, reads, sets, store
from bench.description_methods import labelled
from bench.methods import METHODS, SEEDED, warm_methods
from bench.table import write

HERE = Path(__file__).parent
MILLION = 1_000_000
CSV_HELP = "from a csv to themes, beside BERTopic; onnx: with that embedder too"
MODEL = Path("../shared/models/all-MiniLM-L6-v2-onnx")


def main() -> None:
    """Measure what the command line asks for, and write it down."""
    chosen = _parser().parse_args()
    wanted = chosen.sets or sets.names(chosen.data)
    out: Path = chosen.out
    if chosen.store:
        write(out, f"store {chosen.store}", store.end_to_end(chosen.data, chosen.store))
    if chosen.reads:
        write(out, "reads", reads.quick_reads(chosen.model))
    if chosen.describe:
        for name in chosen.sets or labelled(chosen.data):
            text = description_report.in_words(chosen.data, name, chosen.model)
            write(out, f"describe {name}", text)
    if chosen.csv:
        for name in wanted:
            model = chosen.model if chosen.csv == "onnx" else None
            write(out, f"csv {name}", from_csv.from_csv(chosen.data, name, model))
    special = (
        chosen.steps
        or chosen.store
        or chosen.reads
        or chosen.csv
        or chosen.million
        or chosen.describe
    )
    keys = ["ours"] if special else chosen.methods
    if chosen.million:
        keys = ["ours", "evoc"]
    if chosen.steps or chosen.million or not special:
        warm_methods([METHODS[key] for key in keys])
    if chosen.steps:
        for name in wanted:
            text = compare.in_steps(sets.read(chosen.data, name), chosen.rounds)
            write(out, f"steps {name}", text)
    if chosen.million:
        write(out, "million", compare.million(chosen.million_rows))
    if not special:
        _compare(chosen, wanted)


def _compare(chosen: argparse.Namespace, wanted: list[str]) -> None:
    methods = {key: METHODS[key] for key in chosen.methods}
    seeded = [key for key in methods if key in SEEDED]
    for name in wanted:
        data = sets.read(chosen.data, name)
        if chosen.rounds:
            text = compare.compared(data, methods, chosen.rounds)
            write(chosen.out, f"compare {name}", text)
        if chosen.seeds > 1 and seeded and data.labels is not None:
            text = compare.steadiness(data, seeded, chosen.seeds)
            write(chosen.out, f"steadiness {name}", text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    add = parser.add_argument
    add("--data", type=Path, default=Path("../shared/data"), help="folder of the sets")
    add("--sets", type=_list, help="a,b: these sets; without: all in the folder")
    add("--methods", type=_methods, default=list(METHODS), help=f"some of {','.join(METHODS)}")
    add("--rounds", type=int, default=3, help="turns of each method; 0 compares nothing")
    add("--seeds", type=int, default=5, help="seeds for the steadiness; 0 leaves it out")
    add("--steps", action="store_true", help="the seconds of each step of corpuscope")
    add("--store", nargs="?", const="abcnews", metavar="SET", help="a set through the MCP client")
    add("--reads", action="store_true", help="lists and searches on 100,000 made records")
    add("--csv", nargs="?", const="wordllama", choices=["wordllama", "onnx"], help=CSV_HELP)
    add("--describe", action="store_true", help="what the words about clusters are worth")
    add("--model", type=Path, default=MODEL, help="folder of the model that made the vectors")
    add("--million", action="store_true", help="made vectors in number: corpuscope and EVoC")
    add("--million-rows", type=int, default=MILLION, help="how many of them")
    add("--out", type=Path, default=HERE / "RESULTS.md", help="the document of results")
    return parser


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _methods(text: str) -> list[str]:
    named = _list(text)
    if unknown := [name for name in named if name not in METHODS]:
        raise argparse.ArgumentTypeError(f"no method {unknown}; there are {', '.join(METHODS)}")
    return named


if __name__ == "__main__":
    main()
