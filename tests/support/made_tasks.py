"""Evidence with texts kept aside, made of a few words: nobody has to cluster for that."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from support.endpoint_server import EndpointServer

from corpuscope.prompts import Templates
from corpuscope.tools.core.schema import Node
from corpuscope.tools.describing.describe import Describer
from corpuscope.tools.describing.evidence import Findings, Keyphrase, Sibling, build_evidence
from corpuscope.tools.describing.gathering import DescriptionTask
from corpuscope.tools.describing.judge import Judge
from corpuscope.tools.describing.prompting import PromptContext
from corpuscope.tools.describing.proof import Trial
from corpuscope.tools.describing.sampling import Pick, Role
from corpuscope.tools.embedding.factory import fit_embedder
from corpuscope.tools.embedding.spec import EmbeddingOptions
from corpuscope.tools.llm.asker import open_asker
from corpuscope.tools.llm.budget import Limits

TEXTS = (
    "My card payment from Tuesday has been charged twice, when do I get one back?",
    "Where is the refund for the second charge?",
    "where is the refund  for the second charge?",
    "I see two identical payments to the same shop on my statement.",
    "The refund of 20 € has still not arrived.",
)
ROLES: tuple[Role, ...] = ("central", "central", "spread", "spread", "edge")
WORDS = ("refund", "charged twice", "charge", "payment", "statement", "shop")

NEIGHBOUR = "My card was stolen, please block it."

INSIDE = [f"refund of charge number {number}" for number in range(40)]
OUTSIDE = [f"pin code of account number {number}" for number in range(40)]


def record(number: int) -> str:
    """The id of the record with the text of this number."""
    return f"{number:016x}"


def made_task(
    cluster: str = "3.1",
    *extra: str,
    words: Sequence[str] = WORDS,
    inside: Sequence[str] = (),
    outside: Sequence[str] = (),
    beside: Sequence[str] = ("3.1", "3.2"),
) -> DescriptionTask:
    """A cluster about refunds: r1 to r4 are in it (two of five texts say the same), then `extra`
    ones, and the last reference is of an outsider. `inside` and `outside` are kept aside."""
    texts = dict(enumerate([*TEXTS, *extra, NEIGHBOUR]))
    roles: list[Role] = list(ROLES)
    roles += ["edge" for _ in extra]
    evidence = build_evidence(
        "tickets",
        Node(id=cluster, layers=(0, 1), size=210, share=0.016, keywords=list(words), exemplars=[]),
        Findings(
            picks=[Pick(number, role, 1) for number, role in enumerate(roles)],
            outside=[Pick(len(roles), "outside", 1)],
            texts=texts,
            records={number: record(number) for number in texts},
            homes={len(roles): "3.2"},
            keywords=[Keyphrase(text=word, share=0.4, beside=0.1) for word in words],
            siblings=[
                Sibling(id="3.2", label="Lost and stolen cards", titled=True, size=90),
                Sibling(id="3.3", label="pin, code", size=40),
            ],
        ),
    )
    return DescriptionTask(evidence, _trial(inside, outside), tuple(beside))


def _trial(inside: Sequence[str], outside: Sequence[str]) -> Trial:
    """The judges of these tests embed the texts themselves."""
    return Trial(
        inside=np.zeros((len(inside), 1), np.float32),
        outside=np.zeros((len(outside), 1), np.float32),
        centroid=np.zeros(1, np.float32),
        inside_texts=inside,
        outside_texts=outside,
        records=[record(100 + number) for number in range(len(inside))],
    )


@contextmanager
def describer_at(
    server: EndpointServer,
    limits: Limits = Limits(),  # noqa: B008
    cache: Path | None = None,
    context: PromptContext | None = None,
) -> Iterator[Describer]:
    """A model behind a server; descriptions are tried by their words."""
    with (
        TemporaryDirectory() as folder,
        open_asker(server.options(), "tiny", limits, cache) as asker,
    ):
        options = EmbeddingOptions(models_dir=Path(folder))
        fitted = fit_embedder("lexical", [*TEXTS, *INSIDE, *OUTSIDE], options, Path(folder))
        judge = Judge(fitted.embedder, same_space=False)
        yield Describer(asker, "tiny", context or PromptContext(Templates()), judge)
