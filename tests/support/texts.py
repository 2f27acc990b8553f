"""Small real texts for the tests: messages to a shop's support, in themes that are known."""

import itertools
import random
from typing import Any

THEMES: dict[str, tuple[list[str], list[str], list[str]]] = {
    "delivery": (
        ["My parcel", "The package", "The courier", "My shipment", "The delivery van"],
        [
            "has not arrived at my address",
            "was left with a neighbour I do not know",
            "is stuck in the depot according to the tracking number",
            "was marked as delivered but the doorstep is empty",
            "came three days after the promised delivery date",
            "was sent to my old postal address",
        ],
        ["and the tracking page shows nothing.", "so please ask the carrier.", "again this week."],
    ),
    "refund": (
        ["My refund", "The money for the returned shoes", "The repayment", "My reimbursement"],
        [
            "has not reached my bank account",
            "is ten euros less than what I paid",
            "was promised two weeks ago and never came",
            "went to a credit card that I have closed",
            "is still pending after I sent the goods back",
            "does not include the shipping costs I paid",
        ],
        ["and I want my money back.", "so check the bank transfer.", "as the receipt shows."],
    ),
    "login": (
        ["My password", "The login page", "My user account", "The sign-in code", "My username"],
        [
            "is rejected although I typed it correctly",
            "was locked after three failed attempts",
            "says the e-mail address is unknown",
            "keeps sending me back to the start screen",
            "never reaches my phone as a text message",
            "expired before I could enter it",
        ],
        ["so I cannot log in.", "and the reset link does nothing.", "on every browser I tried."],
    ),
    "coffee": (
        ["The espresso machine", "The coffee grinder", "The milk frother", "The water tank"],
        [
            "leaks hot water all over the kitchen",
            "makes a loud grinding noise in the morning",
            "does not heat the water above lukewarm",
            "burns the beans and the coffee tastes bitter",
            "blinks red and asks for descaling every day",
            "drips slowly and the cup stays half empty",
        ],
        ["after one month of espresso.", "even with fresh beans.", "despite a new filter."],
    ),
    "garden": (
        ["The tomato seedlings", "The rose bush", "The lawn seed", "The apple tree"],
        [
            "arrived with dry leaves and broken stems",
            "did not grow although I watered the soil daily",
            "has yellow spots and small green insects",
            "lost its blossoms after a night of frost",
            "needs more sun than the label on the pot says",
            "was planted in spring and withered in June",
        ],
        ["in my garden.", "despite good compost.", "and the roots look rotten."],
    ),
}


def tickets(each: int = 40) -> list[dict[str, Any]]:
    """Rows with `id`, `text`, `theme`, `stars` and `date`: `each` distinct texts per theme."""
    rows: list[dict[str, Any]] = []
    for theme, parts in THEMES.items():
        sentences = [" ".join(words) for words in itertools.product(*parts)]
        random.Random(theme).shuffle(sentences)
        rows += [{"text": sentence, "theme": theme} for sentence in sentences[:each]]
    random.Random(0).shuffle(rows)
    for number, row in enumerate(rows):
        row |= {
            "id": f"T{number:04d}",
            "stars": number % 5 + 1,
            "date": f"2024-{number % 12 + 1:02d}-{number % 28 + 1:02d}",
        }
    return rows


def odd_texts(count: int) -> list[dict[str, Any]]:
    """Rows of made-up words that belong to no theme, and hardly to one another."""
    chooser = random.Random(0)
    syllables = [consonant + vowel for consonant in "bcdfgklmnprstvz" for vowel in "aeiou"]
    words = ["".join(chooser.choices(syllables, k=3)) for _ in range(250)]
    return [{"text": " ".join(chooser.choices(words, k=9)), "theme": "odd"} for _ in range(count)]
