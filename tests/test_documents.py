"""The documents say what the code says, and their links lead somewhere."""

import re
from pathlib import Path

from test_house import ROOT, WINGS, expect_none

from corpuscope.server.app import TOOLS
from corpuscope.server.settings import Settings

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
JOB_TOOLS = {"get-job", "cancel-job"}


def test_links_between_documents_lead_to_files_and_headings() -> None:
    expect_none(
        f"{document.relative_to(ROOT)} links to {link}"
        for document in DOCUMENTS
        for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+://", link) and not leads_somewhere(document, link)
    )


def test_every_document_is_linked_from_the_readme() -> None:
    linked = re.findall(r"\]\(([^)#\s]+)", DOCUMENTS[0].read_text(encoding="utf-8"))
    expect_none({str(document.relative_to(ROOT)) for document in DOCUMENTS[1:]} - set(linked))


def test_the_table_of_settings_has_every_setting_with_its_description_and_default() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(CORPUSCOPE_\w+)` \| (.*) \| (.*) \|$", text, re.MULTILINE)
    documented = {name: (description, default) for name, description, default in rows}
    settings = {
        f"CORPUSCOPE_{name.upper()}": (
            (field.description or "").replace("|", "&#124;"),
            f"`{field.default}`" if isinstance(field.default, int | float | str) else "",
        )
        for name, field in Settings.model_fields.items()
    }
    # Where the home lies, the platform says.
    settings["CORPUSCOPE_HOME"] = (
        settings["CORPUSCOPE_HOME"][0],
        "the platform's user data folder",
    )
    expect_none(
        f"{name}: {documented.get(name)} is {settings.get(name)}"
        for name in documented.keys() | settings
        if documented.get(name) != settings.get(name)
    )


def test_the_readme_has_every_tool() -> None:
    rows = re.findall(r"^\| (`[a-z-]+`.*?) \|", DOCUMENTS[0].read_text("utf-8"), re.MULTILINE)
    assert {tool for row in rows for tool in re.findall("`(.+?)`", row)} == JOB_TOOLS | set(TOOLS)


def test_the_architecture_names_every_wing_and_only_modules_that_are_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == WINGS.keys()
    expect_none(
        f"{folder}/{module}"
        for folder, module in re.findall(r"`(?:tools/)?(\w+)/(\w+)\b", text)
        if folder in WINGS and not (WINGS[folder] / f"{module}.py").is_file()
    )


def leads_somewhere(document: Path, link: str) -> bool:
    """Whether the file of a relative link is there, and has the heading that it names."""
    path, _, anchor = link.partition("#")
    target = (document.parent / path).resolve() if path else document
    return target.is_file() and (not anchor or anchor in anchors(target))


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
