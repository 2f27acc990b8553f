"""What the tool `apply-themes` answers: where texts go, and how far to believe it.

Out of a scheme and the fits of texts, in words and as data. The tool fills it.
"""

from collections import Counter
from collections.abc import Sequence

from corpuscope.tools.core.schema import Result, Verbatim
from corpuscope.tools.core.text import shorten
from corpuscope.tools.schemes.nearness import MEMBERS_NEAREST
from corpuscope.tools.schemes.scheme import Fit, Scheme

TITLE_CHARACTERS = 60
THEMES_TOLD = 30


class PlacedText(Result):
    """One text and the theme that it fits."""

    id: Verbatim
    """The record's id, or the place of the text in the call, from 1."""
    text: str
    theme: Verbatim | None
    """The theme that it fits; None where none takes it."""
    title: str | None
    score: float
    """In that theme, or in the nearest where none takes it; -1 to 1."""
    threshold: float
    """From which score on that theme takes a text."""
    nearest: Verbatim
    """The theme with the highest score, whether it takes the text or not."""
    runner_up: Verbatim | None
    runner_up_title: str | None
    runner_up_score: float | None
    why_not: str | None
    """Where none takes it, why."""

    def as_text(self) -> str:
        """The text and its theme in a line."""
        if self.why_not:
            return f"{self.id}. {self.why_not}: {self.text}"
        needs = f"{self.score:.2f}, needs {self.threshold:.2f}"
        second = ""
        if self.runner_up is not None:
            second = f"; then {self.runner_up} {self.runner_up_title} {self.runner_up_score:.2f}"
        return f"{self.id}. {self.theme} {self.title} ({needs}{second}): {self.text}"


class AppliedTheme(Result):
    """A theme that took texts, and what its threshold is worth."""

    id: Verbatim
    title: str
    texts: int
    """Of those asked, how many it took."""
    threshold: float
    held_back: int | None
    """Members that were taken out and put in as if they were new; None for a codebook."""
    came_back: int | None
    others: int | None
    """Held-back members of other themes that it took as well."""
    noise: int | None
    """Noise texts, of `noise_tried`, that it took."""
    precision: float | None
    """Share of its own among the members that it took, 0 to 1, each theme counted by its size."""

    def as_text(self) -> str:
        """The theme in a line."""
        line = f"{self.id} {self.title}: {self.texts:,}, from {self.threshold:.2f}"
        if self.held_back is None:
            return line
        if not self.held_back:
            return f"{line}; it has one text only, and none was held back"
        right = "" if self.precision is None else f" (precision {self.precision:.2f})"
        return (
            f"{line}; {self.came_back} of {self.held_back} held-back members came back, "
            f"{self.others} of other themes and {self.noise} noise texts came too{right}"
        )


class ApplyThemesResult(Result):
    """Where texts go in the themes of a run or a codebook."""

    dataset: Verbatim
    """Whose model and mask made the vectors."""
    run: Verbatim | None
    codebook: Verbatim | None
    asked: int
    fitting: int
    themes_there: int
    themes: list[AppliedTheme]
    """Those that took most of the texts."""
    held_back: int
    came_back: int
    to_others: int
    """Held-back members that another theme took."""
    noise_tried: int
    noise_taken: int
    basis: Verbatim
    """What score and threshold are, and what is known of them."""
    notes: list[Verbatim]
    offset: int
    next_offset: int | None
    texts: list[PlacedText]
    """A page of those asked: in the order of the call; of a dataset theme by theme as in `themes`,
    those that fit none at the end."""

    def as_text(self) -> str:
        """Where they go, how far to believe it, and the next step."""
        what = f"codebook {self.codebook}" if self.codebook else f"run {self.run}"
        texts = "text" if self.asked == 1 else "texts"
        lines = [
            f"{self.asked:,} {texts} against the {self.themes_there} themes of {what} of "
            f"'{self.dataset}': {self.fitting:,} fit a theme, {self.asked - self.fitting:,} none."
        ]
        placed = [text.as_text() for text in self.texts]
        themes = [theme.as_text() for theme in self.themes]
        if themes:
            themes.insert(0, "Themes that took some (id, title, texts, threshold):")
        if not placed:
            lines.append(f"offset {self.offset:,} is past the last of {self.asked:,}.")
        if self.asked > len(placed):
            end = self.offset + len(placed)
            listed = f"Texts {self.offset + 1:,} to {end:,} of {self.asked:,}:"
            lines += [*themes, self.basis, *([listed] if placed else []), *placed]
        else:
            lines += [*placed, self.basis, *themes]
        lines += self.notes
        if self.next_offset is not None:
            lines.append(f"More: call again with offset={self.next_offset}.")
        return "\n".join(lines)


def placed_text(scheme: Scheme, fit: Fit, place: str, text: str) -> PlacedText:
    """One text as it is told; `text` is what may be shown of it."""
    theme, title = scheme.ids[fit.nearest], shorten(scheme.titles[fit.nearest], TITLE_CHARACTERS)
    threshold, score = float(scheme.thresholds[fit.nearest]), fit.score
    second = None if fit.second is None else scheme.ids[fit.second]
    second_title = None if fit.second is None else scheme.titles[fit.second]
    return PlacedText(
        id=place,
        text=text,
        theme=theme if fit.fits else None,
        title=title if fit.fits else None,
        score=round(score, 4),
        threshold=round(threshold, 4),
        nearest=theme,
        runner_up=second,
        runner_up_title=second_title and shorten(second_title, TITLE_CHARACTERS),
        runner_up_score=None if fit.second_score is None else round(fit.second_score, 4),
        why_not=None if fit.fits else _why_not(fit, f"{theme} {title}", threshold),
    )


def _why_not(fit: Fit, theme: str, threshold: float) -> str:
    if not fit.knows_words:
        return "no theme: nothing in it that the dataset's model knows"
    if fit.score >= threshold:
        return (
            f"no theme: nearest {theme} {fit.score:.2f}, but nearer to noise {fit.noise_score:.2f}"
        )
    # Two digits, unless they would say that a number is below itself.
    digits = 2 if round(fit.score, 2) < round(threshold, 2) else 4
    return f"no theme: nearest {theme} {fit.score:.{digits}f}, below its {threshold:.{digits}f}"


def applied_themes(scheme: Scheme, fits: Sequence[Fit]) -> list[AppliedTheme]:
    """The themes that took texts, those with most first."""
    counts = Counter(fit.nearest for fit in fits if fit.fits)
    told = []
    for theme, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:THEMES_TOLD]:
        check = scheme.checks[theme] if scheme.checks else None
        precision = None if check is None else check.precision
        told.append(
            AppliedTheme(
                id=scheme.ids[theme],
                title=shorten(scheme.titles[theme], TITLE_CHARACTERS),
                texts=count,
                threshold=round(float(scheme.thresholds[theme]), 4),
                held_back=None if check is None else check.held_back,
                came_back=None if check is None else check.came_back,
                others=None if check is None else check.others,
                noise=None if check is None else check.noise,
                precision=None if precision is None else round(precision, 4),
            )
        )
    return told


def basis_sentence(scheme: Scheme, dataset: str) -> str:
    """What a score and a threshold are, and what members held back make of them."""
    if not scheme.checks:
        return (
            "Score: the cosine to the nearest of a theme's definition (with its title) and "
            "examples. Threshold: above what comes about by chance among "
            f"{scheme.background:,} texts of '{dataset}'. No members were held back, so how often "
            "it is right is not known: read some of each theme, and give examples where it errs."
        )
    held = sum(check.held_back for check in scheme.checks)
    back = sum(check.came_back for check in scheme.checks)
    others = sum(check.others for check in scheme.checks)
    noise = sum(check.noise for check in scheme.checks)
    tried = (
        f"; of {scheme.noise_tried:,} noise texts {noise:,} ({noise / scheme.noise_tried:.0%}) "
        "were let in"
        if scheme.noise_tried
        else ""
    )
    return (
        f"Score: the mean cosine to the {MEMBERS_NEAREST} nearest members of a theme. At these "
        f"thresholds {back:,} of {held:,} members held back ({back / max(1, held):.0%}) came back "
        f"to their theme and {others:,} ({others / max(1, held):.1%}) went to another{tried}."
    )
