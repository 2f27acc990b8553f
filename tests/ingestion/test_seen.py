"""Hashes that were seen before, counted as a dict would count them."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpuscope.tools.ingestion import seen
from corpuscope.tools.ingestion.seen import SeenHashes

BLOCKS = st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=12)


@given(BLOCKS)
def test_each_hash_is_counted_whether_it_is_settled_or_recent(blocks: list[list[int]]) -> None:
    hashes, counted = SeenHashes(), Counter[bytes]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seen, "FEWEST_SETTLED", 5)
        for block in blocks:
            keys = [(number * 2**59 % 2**64).to_bytes(8, "big") for number in block]
            settled = hashes.settled(keys)
            for key, times in zip(keys, settled, strict=True):
                assert times + hashes.recent(key) == counted[key]
                assert times + hashes.add(key) == counted[key]
                counted[key] += 1
