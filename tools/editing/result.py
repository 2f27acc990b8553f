"""What the tool `edit-clusters` answers: what is different, and who did what and when."""

from collections import Counter

from corpuscope.tools.archive.edits import EditState, RunEdit
from corpuscope.tools.core.schema import Result, Verbatim
from corpuscope.tools.editing.differences import EditLine

FEW_PARTS = 3
"""More parts that changed with their themes are counted, not listed, in the text."""


class HistoryLine(Result):
    """One edit of the run, as the history lists it."""

    number: int
    op: str
    said: str
    by: str
    at: Verbatim
    state: EditState
    last: Verbatim
    """By whom and when it was undone or redone last; "" where it never was."""

    def as_text(self) -> str:
        """The edit in a line."""
        states = {"active": "", "undone": "", "replaced": ", for good as others were made since"}
        last = f" ({self.last}{states[self.state]})" if self.last else ""
        return f"{self.number}. {_second(self.at)}, by the {self.by}: {self.said}{last}"


class EditResult(Result):
    """What an edit has changed, or would change, or all edits of the run."""

    dataset: Verbatim
    run: Verbatim
    op: str
    preview: bool
    """Whether nothing was changed."""
    edit: int | None
    """The number of the edit that was made, undone or redone."""
    said: str
    by: str
    changes: list[EditLine]
    more_changes: int
    """Changes that are not listed."""
    themes_before: int
    themes: int
    """Of the layer shown."""
    noise_before: int
    noise: int
    in_force: int
    """Edits that the run has now."""
    can_redo: bool
    history: list[HistoryLine]
    hint: Verbatim | None

    def as_text(self) -> str:
        """What changed in lines, then counts and the next step."""
        if self.op == "history":
            return self._history()
        head = f"Run {self.run} of '{self.dataset}'"
        if self.preview:
            lines = [f"Preview, nothing was changed. {head} would have: {self.said}."]
        else:
            lines = [f"{head}, edit {self.edit} by the {self.by}: {self.said}."]
        parts = [line for line in self.changes if line.part]
        told = self.changes if len(parts) <= FEW_PARTS else [c for c in self.changes if not c.part]
        lines += [line.as_text() for line in told]
        if told is not self.changes:
            kinds = {"gone": "gone", "new": "there now"}
            counts = Counter(kinds.get(line.kind, "changed") for line in parts)
            some = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
            lines.append(f"Parts of themes: {some}.")
        if self.more_changes:
            lines.append(f"… {self.more_changes} more changes.")
        themes = _from_to(self.themes_before, self.themes)
        noise = _from_to(self.noise_before, self.noise)
        lines.append(f"Themes: {themes}. Noise: {noise} records. Edits in force: {self.in_force}.")
        if self.hint:
            lines.append(self.hint)
        if self.preview:
            lines.append("To do it, call again without preview.")
        elif self.in_force or self.can_redo:
            ways = ["edit-clusters(op='undo')"] if self.in_force else []
            ways += ["edit-clusters(op='redo')"] if self.can_redo else []
            lines.append(
                f"Back: {ways[0]}." if len(ways) == 1 else f"Back or again: {', '.join(ways)}."
            )
        return "\n".join(lines)

    def _history(self) -> str:
        head = f"Run {self.run} of '{self.dataset}': {self.in_force} edits in force"
        if not self.history:
            return f"Run {self.run} of '{self.dataset}' has no edits: it is as it was found."
        last = self.history[-1].number
        listed = f" of {last}, the last {len(self.history)}" if len(self.history) < last else ""
        return "\n".join([f"{head}{listed}:", *(line.as_text() for line in self.history)])


def _second(at: str) -> str:
    """A time as it is read: to the second, UTC."""
    return at[:19].replace("T", " ")


def _from_to(before: int, after: int) -> str:
    return f"{after:,}" if before == after else f"{before:,} → {after:,}"


def history_line(edit: RunEdit) -> HistoryLine:
    """An edit as the history lists it."""
    made, *later = edit.steps
    last = later[-1] if later else None
    said = ""
    if last is not None:
        what = "undone" if last.what == "undo" else "redone"
        said = f"{what} {_second(last.at)}, by the {last.by}"
    return HistoryLine(
        number=edit.number,
        op=edit.op,
        said=edit.said,
        by=made.by,
        at=made.at,
        state=edit.state,
        last=said,
    )
