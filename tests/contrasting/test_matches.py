"""Themes of two collections, matched by their centroids."""

from dataclasses import replace

import numpy as np
import pytest
from support.made_shop import PATHS, fill, made_run

from corpuscope.tools.archive.run_files import write_centroids
from corpuscope.tools.contrasting.matches import ThemeMatches, match_themes
from corpuscope.tools.contrasting.sides import Side, SideScope, read_sides
from corpuscope.tools.core.vectors import unit_rows
from corpuscope.tools.workspace.slices import theme_column
from corpuscope.tools.workspace.workspace import Workspace

LATER = {"coffee": "1", "refund": "2", "login": "3", "delivery": "noise", "garden": "noise"}
SHOP = {theme: path for theme, path in PATHS.items() if path != "noise"}
CORNER = 3.0
"""How far all texts lie in one direction, so that every cosine is high."""


@pytest.fixture(scope="module")
def sides(workspace: Workspace) -> tuple[Side, Side]:
    """Two datasets whose themes have a direction each, with a little of chance in it."""
    rng = np.random.default_rng(0)
    directions = dict(zip(SHOP, np.eye(6)[: len(SHOP)], strict=True))
    for dataset, paths in (("shop", PATHS), ("later", LATER)):
        fill(workspace, dataset)
        run = made_run(workspace, paths, dataset=dataset, telling=True).run
        themes = [theme for theme, path in paths.items() if path != "noise"]
        noisy = [directions[theme] + 0.1 * rng.normal(size=6) for theme in themes]
        vectors = unit_rows(np.stack(noisy) + CORNER * np.eye(6)[5])
        known = {paths[theme]: vector for theme, vector in zip(themes, vectors, strict=True)}
        write_centroids(workspace.runs.folder(dataset, run.id), known)
    scope = SideScope("shop", None, None)
    return read_sides(workspace, scope, {"dataset": "shop"}, {"dataset": "later"})


def matched(workspace: Workspace, sides: tuple[Side, Side], embedding: str) -> ThemeMatches:
    a, b = (replace(side, card=replace(side.card, embedding=embedding)) for side in sides)
    assert a.selection is not None
    assert b.selection is not None
    columns = theme_column(workspace, a.selection), theme_column(workspace, b.selection)
    found = match_themes(workspace, (a, b), columns)
    assert found is not None
    return found


@pytest.mark.parametrize(("embedding", "by"), [("wordllama", "vectors"), ("lexical", "words")])
def test_the_same_subjects_are_paired_and_the_rest_stands_alone(
    workspace: Workspace, sides: tuple[Side, Side], embedding: str, by: str
) -> None:
    found = matched(workspace, sides, embedding)
    assert found.by == by
    pairs = {(pair.a.id, pair.b.id) for pair in found.pairs}
    assert pairs == {(SHOP[theme], LATER[theme]) for theme in ("coffee", "refund", "login")}
    assert [one.theme.id for one in found.only_a] == [SHOP["delivery"]]
    assert found.only_b == []
    assert all(pair.a.share == pytest.approx(pair.a.records / 180) for pair in found.pairs)


def test_vectors_are_compared_without_what_all_themes_have_in_common(
    workspace: Workspace, sides: tuple[Side, Side]
) -> None:
    similar = [pair.similarity for pair in matched(workspace, sides, "wordllama").pairs]
    assert min(similar) > 0.7
    assert matched(workspace, sides, "wordllama").only_a[0].similarity < 0.3
