"""Maps of made points: a blob for each group, noise between them."""

import numpy as np

from corpuscope.tools.plotting.view import MapGroup, MapView

LARGEST = 9_000
"""Records that the first group is said to have; each further group has one less."""


def made_map(
    labels: list[str], each: int = 60, noise: int = 40, *, title: str = "tickets"
) -> MapView:
    """A map with `each` points a label around a place of its own, and `noise` points anywhere."""
    random = np.random.default_rng(3)
    points = [random.normal(random.uniform(-9, 9, 2), 0.5, (each, 2)) for _ in labels]
    points.append(random.uniform(-10, 10, (noise, 2)))
    count = each * len(labels) + noise
    return MapView(
        title=title,
        subtitle=f"{len(labels)} themes",
        points=np.concatenate(points).astype(np.float32),
        group=np.repeat([*range(len(labels)), -1], [*[each] * len(labels), noise]).astype(np.int32),
        groups=tuple(
            MapGroup(str(rank + 1), label, LARGEST - rank) for rank, label in enumerate(labels)
        ),
        noise=noise,
        hover=tuple(f"text {point}" for point in range(count)),
    )
