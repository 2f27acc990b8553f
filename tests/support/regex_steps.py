"""Counts the steps of regular expressions, so that a test sees how work grows without a clock.

`CountingRe` stands in for the module `re`: it answers as `re` does, and repeats each search with a
plain backtracking matcher that counts every item it tries at every place. The matcher knows what
the patterns of redaction use; what it finds must be what `re` found.
"""

import re
from collections.abc import Iterator
from functools import cache
from re import _parser  # type: ignore[attr-defined]
from typing import Any


class CountingRe:
    """The functions of `re` that redaction calls; `steps` is what all calls together cost."""

    def __init__(self) -> None:
        self.steps = 0

    def search(self, pattern: str, text: str) -> re.Match[str] | None:
        match = re.search(pattern, text)
        self._scan(pattern, text, [match] if match else [], match.start() if match else len(text))
        return match

    def match(self, pattern: str, text: str) -> re.Match[str] | None:
        self._end(pattern, text, 0)
        return re.match(pattern, text)

    def fullmatch(self, pattern: str, text: str) -> re.Match[str] | None:
        self._end(pattern, text, 0)
        return re.fullmatch(pattern, text)

    def finditer(self, pattern: str, text: str) -> Iterator[re.Match[str]]:
        matches = list(re.finditer(pattern, text))
        self._scan(pattern, text, matches, len(text))
        return iter(matches)

    def findall(self, pattern: str, text: str) -> list[str]:
        return [match.group() for match in self.finditer(pattern, text)]

    def sub(self, pattern: str, new: str, text: str) -> str:
        self.finditer(pattern, text)
        return re.sub(pattern, new, text)

    def _scan(self, pattern: str, text: str, matches: list[re.Match[str]], last: int) -> None:
        """Try the pattern at every place up to `last` that lies within no match."""
        ends = {match.start(): match.end() for match in matches}
        place = 0
        while place <= last:
            end = self._end(pattern, text, place)
            assert end == ends.get(place), (pattern, text[place : place + 40])
            place = max(end or 0, place + 1)

    def _end(self, pattern: str, text: str, place: int) -> int | None:
        """Where the match that begins at a place ends; None where there is none."""
        return next(self._ends(_parsed(pattern), text, place, False), None)

    def _ends(self, items: Any, text: str, place: int, fold: bool) -> Iterator[int]:
        """Where a row of items can end, in the order in which backtracking comes there."""
        if not items:
            yield place
            return
        for end in self._ends_of_item(items[0], text, place, fold):
            yield from self._ends(items[1:], text, end, fold)

    def _ends_of_item(self, item: Any, text: str, place: int, fold: bool) -> Iterator[int]:
        self.steps += 1
        kind, what = str(item[0]), item[1]
        match kind:
            case "LITERAL" | "NOT_LITERAL" | "IN":
                if place < len(text) and _is_of(kind, what, text[place], fold):
                    yield place + 1
            case "MAX_REPEAT":
                yield from self._repeated(what, text, place, fold)
            case "POSSESSIVE_REPEAT":
                yield from self._repeated_for_good(what, text, place, fold)
            case "BRANCH":
                for branch in what[1]:
                    yield from self._ends(branch.data, text, place, fold)
            case "SUBPATTERN":
                folds = fold or bool(what[1] & re.IGNORECASE)
                yield from self._ends(what[3].data, text, place, folds)
            case "ASSERT" | "ASSERT_NOT":
                direction, inner = what
                start = place - inner.getwidth()[0] if direction < 0 else place
                ends = self._ends(inner.data, text, start, fold) if start >= 0 else iter(())
                if (next(ends, None) is not None) == (kind == "ASSERT"):
                    yield place
            case "AT":
                if _is_at(str(what), text, place):
                    yield place
            case _:
                raise NotImplementedError(kind)

    def _repeated(self, repeat: Any, text: str, place: int, fold: bool) -> Iterator[int]:
        """As often as it goes, then less often, down to the least."""
        least, most, inner = repeat
        if most:
            rest = (max(0, least - 1), most - 1, inner)
            for end in self._ends(inner.data, text, place, fold):
                if end > place:
                    yield from self._repeated(rest, text, end, fold)
        if not least:
            yield place

    def _repeated_for_good(self, repeat: Any, text: str, place: int, fold: bool) -> Iterator[int]:
        """As often as it goes, and no less often."""
        least, most, inner = repeat
        count, end = 0, place
        while count < most:
            further = next(self._ends(inner.data, text, end, fold), None)
            if further is None:
                break
            count, end = count + 1, further
        if count >= least:
            yield end


@cache
def _parsed(pattern: str) -> Any:
    return _parser.parse(pattern).data


def _is_of(kind: str, what: Any, sign: str, fold: bool) -> bool:
    signs = {sign, sign.lower(), sign.upper()} if fold else {sign}
    if kind != "IN":
        return (chr(what) in signs) == (kind == "LITERAL")
    negated = str(what[0][0]) == "NEGATE"
    return negated != any(_is_member(member, one) for member in what[negated:] for one in signs)


def _is_member(member: Any, sign: str) -> bool:
    kind, what = str(member[0]), member[1]
    if kind == "LITERAL":
        return sign == chr(what)
    if kind == "RANGE":
        return chr(what[0]) <= sign <= chr(what[1])
    category = str(what).removeprefix("CATEGORY_").removeprefix("NOT_")
    letter = {"DIGIT": "d", "SPACE": "s", "WORD": "w"}[category]
    return bool(re.match(rf"\{letter.upper() if 'NOT_' in str(what) else letter}", sign))


def _is_at(where: str, text: str, place: int) -> bool:
    if where == "AT_BEGINNING_STRING":
        return place == 0
    if where == "AT_END_STRING":
        return place == len(text)
    sides = [re.match(r"\w", text[side : side + 1]) for side in (place - 1, place) if side >= 0]
    return where == "AT_BOUNDARY" and sum(map(bool, sides)) == 1
