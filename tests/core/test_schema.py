import pytest
from pydantic import ValidationError

from corpuscope.tools.core.schema import Proof, Result, Sentence, from_json, to_json


class Tally(Result):
    """A result."""

    records: int
    noise: int = 0

    def with_noise(self, noise: int) -> "Tally":
        return self._with(noise=noise)

    def with_misspelt(self) -> "Tally":
        return self._with(noice=1)

    def as_text(self) -> str:
        """The tally in words."""
        return f"{self.records} records, {self.noise} noise"


def test_a_result_refuses_fields_that_it_does_not_have() -> None:
    with pytest.raises(ValidationError, match="noice"):
        Tally.model_validate({"records": 3, "noice": 1})
    with pytest.raises(TypeError, match="Tally has no field noice"):
        Tally(records=3).with_misspelt()


def test_a_result_with_another_value_is_another_result() -> None:
    tally = Tally(records=3)
    assert tally.with_noise(2).as_text() == "3 records, 2 noise"
    assert tally.noise == 0


def test_what_is_stored_comes_back_and_passes_over_fields_it_does_not_know() -> None:
    sentence = Sentence(text="Cards are lost.", records=["a", "b"])
    written = to_json(sentence)
    assert written == '{"text":"Cards are lost.","records":["a","b"],"doubtful":[]}'
    assert from_json(Sentence, written) == sentence
    assert from_json(Sentence, written[:-1] + ',"from_the_future":1}') == sentence


def test_what_is_stored_is_read_by_its_types() -> None:
    with pytest.raises(ValidationError, match="auc"):
        from_json(Proof, '{"auc": "high", "best": 1, "by": "lexical", "inside": 1, "outside": 1}')
