"""What an answer says of a source beside its counts: what to know, what to do, and the call for it.

In: what an ingest did and saw, and the arguments it was called with; out: sentences, the deciding
fact first, each with its next step.
"""

from collections.abc import Mapping

from corpuscope.tools.core.values import PARSERS
from corpuscope.tools.ingestion.columns import ColumnPlan
from corpuscope.tools.ingestion.loading import IngestOutcome
from corpuscope.tools.ingestion.observations import Gap, Observations
from corpuscope.tools.ingestion.request import IngestRequest

FREQUENT = 0.05
"""Share of texts from which a name or a link rules: as many as a usual theme holds."""

MOJIBAKE_SHARE, LOST_SHARE = 0.005, 0.01
"""Shares of texts from which something was done to the whole file, not to a text in it."""

GAPS_NAMED = 3

KIND_WORDS = {"handles": "@handles", "urls": "links", "emails": "e-mail addresses"}


def advise(
    outcome: IngestOutcome, request: IngestRequest, arguments: Mapping[str, object]
) -> list[str]:
    """The sentences for an answer. `arguments`: what the client said, to say again with changes."""
    seen, card = outcome.observed, outcome.card
    is_new = outcome.count == outcome.added
    changes: dict[str, object] = {}
    lines = [*_dates_of_numbers(outcome.columns), *_uneven_dates(seen)]
    if seen.mojibake and seen.mojibake.share >= MOJIBAKE_SHARE and not request.mend:
        changes["mend"] = True
        lines.append(
            f"{_percent(seen.mojibake.share)} of the texts look wrongly decoded before they came "
            f"here ('{seen.mojibake.before}' for '{seen.mojibake.after}'): mend=True mends them."
        )
    if seen.lost_characters >= LOST_SHARE:
        lines.append(
            f"{_percent(seen.lost_characters)} of the texts hold \N{REPLACEMENT CHARACTER}, where "
            "characters were lost: if you can, export them again from where they came."
        )
    if is_new and not card.mask:
        lines += _frequent_kinds(seen, changes)
    ids = _ids(outcome, changes)
    if "id_column" in changes:
        lines += ids
    if changes and is_new:
        again = {**arguments, **changes, "mode": "replace"}
        said = ", ".join(f"{name}={value!r}" for name, value in again.items())
        lines.append(f"The call for {'that' if len(changes) == 1 else 'all that'}: ingest({said}).")
    if "id_column" not in changes:
        lines += ids
    if seen.all_masked:
        lines.append(
            f"{seen.all_masked:,} texts hold nothing but what is masked: their vectors are of the "
            "whole text."
        )
    if card.mask and request.brings_vectors:
        lines.append("The vectors came with the file: the mask holds for keywords and queries.")
    return lines


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else f"{share:.1%}"


def _dates_of_numbers(columns: ColumnPlan) -> list[str]:
    return [
        f"'{name}': numbers such as {example} are read as days ({PARSERS['date'](example)}), as "
        "its name and their range say."
        for name, example in columns.numbered_days
    ]


def _uneven_dates(seen: Observations) -> list[str]:
    if not seen.gaps:
        return []
    if seen.gaps[0].column is None:
        return [
            f"Dates are uneven: no record from {_days(seen.gaps[0])} ('{seen.date_column}'). Ask "
            "whether a part is missing before you tell of trends."
        ]
    named = "; ".join(
        f"'{gap.value}' ({gap.column}) {_days(gap)}" for gap in seen.gaps[:GAPS_NAMED]
    )
    more = f" and {len(seen.gaps) - GAPS_NAMED} more" if len(seen.gaps) > GAPS_NAMED else ""
    return [
        f"Dates are uneven ('{seen.date_column}'): next to nothing of {named}{more}, while others "
        "go on. Tell trends within one source, or of days that all have."
    ]


def _days(gap: Gap) -> str:
    return f"{gap.first} to {gap.last}"


def _frequent_kinds(seen: Observations, changes: dict[str, object]) -> list[str]:
    frequent = {kind: share for kind, share in seen.shares.items() if share >= FREQUENT}
    if not frequent:
        return []
    changes["mask"] = list(frequent)
    held = " and ".join(
        f"{KIND_WORDS[kind]} in {_percent(share)}" for kind, share in frequent.items()
    )
    return [
        f"Texts hold {held}, and such make themes of their own. mask={list(frequent)!r} "
        "keeps them out of vectors and keywords; they are still shown and searched."
    ]


def _ids(outcome: IngestOutcome, changes: dict[str, object]) -> list[str]:
    seen, given = outcome.observed, outcome.columns.id
    if seen.rounded_id:
        return [
            f"'{seen.rounded_id}' is no sound id: a spreadsheet cut off the last digits of its "
            "numbers. If ids matter, export it again as text."
        ]
    if given or not seen.unique_id or outcome.count != outcome.added:
        return []
    changes["id_column"] = seen.unique_id
    return [
        f"'{seen.unique_id}' is named like an id and all its values differ: with "
        f"id_column='{seen.unique_id}' a text that changes updates its record."
    ]
