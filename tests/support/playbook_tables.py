"""The schema of playbooks as tables, which end docs/playbooks.md: `python -m support.playbook_tables` renews them."""

from __future__ import annotations

from pathlib import Path

from vmrescue.playbook.form import Form, Many
from vmrescue.playbook.schema import FORMS


def schema_markdown() -> str:
    """A table for each form."""
    return "\n\n".join(map(_table, FORMS)) + "\n"


def _table(form: Form) -> str:
    rows = [
        f"| `{each.name}` | {'yes' if each.required else 'no'} | {_said(each.takes)} | {_cell(each.meaning)} |"
        for each in form.fields
    ]
    some = "At least one of these.\n\n" if form.some else ""
    return "\n".join(
        [f"### {form.name}\n\n{some}| field | needed | takes | what it is |", "| --- | --- | --- | --- |", *rows]
    )


def _said(takes: object) -> str:
    if isinstance(takes, Many):
        return f"a list of at most {takes.most}: {_said(takes.each)}"
    if isinstance(takes, Form):
        return takes.said
    return _cell(str(getattr(takes, "said", "")))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")


if __name__ == "__main__":
    page = Path(__file__).parents[2] / "docs/playbooks.md"
    before, title, _ = page.read_text(encoding="utf-8").partition("## The schema\n\n")
    page.write_text(before + title + schema_markdown(), encoding="utf-8")
