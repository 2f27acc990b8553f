"""A codebook: themes that a person wrote down, each with title, definition and examples.

In: a csv, json or yaml file. Out: its categories, checked; what is wrong with the file is said all
at once, with the form that it should have.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.text import clean_text, shorten
from corpuscope.tools.readers.formats import open_source, read_rows
from corpuscope.tools.readers.rows import Row
from corpuscope.tools.readers.source import ReadLimits

TABLES = (".csv", ".tsv", ".json", ".jsonl")
YAML = (".yaml", ".yml")

TITLE_COLUMNS = ("title", "name", "theme", "code")
DEFINITION_COLUMNS = ("definition", "description", "summary")
EXAMPLE_COLUMNS = ("examples", "example")

MOST_CATEGORIES = 300
"""A person who sorts by a scheme of more does not exist, and each has its vectors."""

MOST_EXAMPLES = 100
"""Of one category: more examples are a dataset, whose run does better."""

LONGEST = 10_000
"""Characters of a definition or an example: models read the first thousand or two."""

MOST_BYTES = 2 * 2**20
"""Of the file: all categories and examples of usual length are less."""

NAMED = 5
"""Categories that a message names."""

FORM = (
    "A codebook is csv, json or yaml with a row or object for each theme: title, definition (a "
    "sentence or two), and, better, examples: a list, or in csv texts with | between them"
)


@dataclass(frozen=True, slots=True)
class Category:
    """One theme of a codebook; `id` is its place, c1, c2, …"""

    id: str
    title: str
    definition: str
    examples: tuple[str, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """What stands for it: title and definition together, and each example."""
        return (f"{self.title}. {self.definition}", *self.examples)


def read_codebook(path: Path) -> list[Category]:
    """The categories of a codebook, in the order of the file.

    `path` is a file that may be read, its name ending in csv, tsv, json, jsonl, yaml or yml.

    Raises:
        BadInput: It is of another kind, empty or too large, or a category lacks its title or
            definition, or has another's title; the message names the categories and the form.
    """
    suffix = path.suffix.lower()
    if suffix not in (*TABLES, *YAML):
        raise BadInput(
            f"{path.name}: no codebook; its name must end in {', '.join((*TABLES, *YAML))}. {FORM}."
        )
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise BadInput(
            f"{path.name} has {size:,} bytes, a codebook at most {MOST_BYTES:,}. Texts that are "
            "many more examples are a dataset: `ingest` them, `cluster`, and apply that run."
        )
    items = _yaml_items(path) if suffix in YAML else _table_items(path)
    if not items:
        raise BadInput(f"{path.name} has no theme. {FORM}.")
    if len(items) > MOST_CATEGORIES:
        raise BadInput(
            f"{path.name} has {len(items):,} themes, the limit is {MOST_CATEGORIES}. Give the "
            "coarser level of the scheme, or a part of it."
        )
    return _checked([_category(at, item, path) for at, item in enumerate(items, 1)], path)


def _table_items(path: Path) -> list[dict[str, object]]:
    try:
        rows = list(read_rows(open_source(path, ReadLimits(MOST_BYTES))))
    except BadInput as error:
        raise BadInput(f"{str(error).rstrip('.')}. {FORM}.") from None
    items = []
    for row in rows:
        if not isinstance(row, Row):
            raise BadInput(f"{path.name}, row {row.number}: {row.reason}. {FORM}.")
        if any(value not in (None, "") for value in row.values.values()):
            items.append(row.values)
    return items


def _yaml_items(path: Path) -> list[dict[str, object]]:
    import yaml

    try:
        document = yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, UnicodeError, RecursionError) as error:
        said = shorten(str(error), 200)
        raise BadInput(f"{path.name} is no sound yaml: {said}. {FORM}.") from None
    if isinstance(document, dict) and len(document) == 1:
        # One key above the list, as `themes:`, or one theme by its title.
        (inner,) = document.values()
        document = inner if isinstance(inner, list) else document
    if isinstance(document, dict):
        document = [
            {"title": title, **(value if isinstance(value, dict) else {"definition": value})}
            for title, value in document.items()
        ]
    if document is None:
        return []
    if not isinstance(document, list) or not all(isinstance(item, dict) for item in document):
        raise BadInput(f"{path.name} is no list of themes. {FORM}.")
    return [{str(key): value for key, value in item.items()} for item in document]


def _category(at: int, item: dict[str, object], path: Path) -> Category:
    """One category; what it lacks is empty, and told with that of all."""
    by_name = {str(key).strip().casefold(): value for key, value in item.items()}

    def first(names: Iterable[str]) -> object:
        return next((by_name[name] for name in names if by_name.get(name) is not None), "")

    title, definition = first(TITLE_COLUMNS), first(DEFINITION_COLUMNS)
    examples = first(EXAMPLE_COLUMNS)
    if isinstance(examples, str):
        examples = [part for line in examples.splitlines() for part in line.split("|")]
    where = f"{path.name}, theme {at}"
    texts = [title, definition, *(examples if isinstance(examples, list) else [examples])]
    if any(isinstance(text, list | dict | tuple) for text in texts):
        raise BadInput(f"{where}: title, definition and each example must be a text. {FORM}.")
    cleaned = [clean_text(str(text)) for text in texts]
    if too_long := [len(text) for text in cleaned if len(text) > LONGEST]:
        raise BadInput(
            f"{where}: a text of {too_long[0]:,} characters, the limit is {LONGEST:,}. Cut it."
        )
    given = tuple(dict.fromkeys(filter(None, cleaned[2:])))
    if len(given) > MOST_EXAMPLES:
        raise BadInput(
            f"{where}: {len(given):,} examples, the limit is {MOST_EXAMPLES}. Keep the most unlike "
            "ones."
        )
    return Category(f"c{at}", cleaned[0], cleaned[1], given)


def _checked(book: list[Category], path: Path) -> list[Category]:
    """The same, if each category has a title of its own and a definition."""
    faults = []
    if untitled := [category.id for category in book if not category.title]:
        faults.append(f"{len(untitled)} have no title ({_listed(untitled)})")
    times = Counter(category.title.casefold() for category in book if category.title)
    if twice := [title for title, count in times.items() if count > 1]:
        faults.append(f"titles stand more than once ({_listed(twice)})")
    if bare := [c.title or c.id for c in book if not c.definition]:
        faults.append(f"{len(bare)} have no definition ({_listed(bare)})")
    if faults:
        raise BadInput(f"{path.name}: of {len(book)} themes {'; '.join(faults)}. {FORM}.")
    return book


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"'{shorten(name, 60)}'" for name in names[:NAMED])
    return shown + (", …" if len(names) > NAMED else "")
