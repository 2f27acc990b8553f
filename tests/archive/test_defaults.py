from dataclasses import replace
from typing import Any

import pytest
from support.made_runs import made

from corpuscope.tools.archive.defaults import (
    ChosenRun,
    apart,
    default_run,
    settings_by_hand,
    showing_layer,
)
from corpuscope.tools.core.schema import Run


def run(number: int, **parameters: Any) -> Run:
    usual = {"where": None, "by_hand": None}
    return replace(made("1:9").run, id=f"r{number}", parameters=usual | parameters)


def test_the_newest_plain_run_of_all_records_is_the_default() -> None:
    runs = [run(4, where="{}"), run(3, by_hand="seed"), run(2), run(1)]
    chosen = default_run(runs, None)
    assert (chosen.run.id, chosen.why) == ("r2", "the newest plain run of all records")
    assert [apart(one) for one in runs] == ["where {}", "trial: seed", None, None]


def test_what_is_asked_of_the_texts_makes_no_trial() -> None:
    assert apart(run(1, regardless_of='["airline"]')) is None


def test_a_trial_is_better_than_a_part_where_there_is_no_plain_run() -> None:
    assert default_run([run(2, where="{}"), run(1, by_hand="seed")], None).run.id == "r1"
    assert default_run([run(1, where="{}")], None).run.id == "r1"


def test_a_chosen_run_stays_the_default_until_the_dataset_is_replaced() -> None:
    chosen = ChosenRun(run="r1", by="person")
    runs = [run(2), run(1, where="{}")]
    assert default_run(runs, chosen).run.id == "r1"
    assert default_run(runs, chosen).why == "chosen by the person"
    replaced = [replace(run(3), collection="another"), *runs]
    assert default_run(replaced, chosen).run.id == "r3"
    assert default_run(runs[:1], chosen).run.id == "r2", "it is gone"


@pytest.mark.parametrize(
    ("stated", "named"),
    [
        ({"min_cluster_size": None, "space": "graph", "seed": 0, "min_samples": 5}, ""),
        ({"min_cluster_size": 20, "space": "map", "seed": 0}, "min_cluster_size, space"),
        ({"seed": 3}, "seed"),
    ],
)
def test_an_older_run_is_known_as_a_trial_by_what_it_states(
    stated: dict[str, Any], named: str
) -> None:
    assert settings_by_hand(replace(run(1), parameters=stated)) == named


def test_a_run_seen_at_another_layer_counts_its_noise_there_and_knows_no_reasons() -> None:
    found = replace(made("1:5 1.1:20 1.2:10 2:9 noise:6").run, noise_reasons={"edge": 11})
    coarse = showing_layer(found, 0)
    assert (found.noise, coarse.noise) == (11, 6)
    assert (coarse.recommended, coarse.found, coarse.noise_reasons) == (0, 1, {})
    assert "Layer 0 was asked for" in coarse.reason
    assert showing_layer(found, 1) == found
