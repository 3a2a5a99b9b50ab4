"""The page of the documentation that says which lines of the program each lesson shows; found in the code each time."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEAD = """# Which line of code each lesson shows

These lines are looked up in the program whenever this page is built, so they are where it says. The page *Class* of the
workbench shows them too.
"""


def page() -> str:
    """Return the page as Markdown. Raises LineGone if a lesson shows a line that the program no longer has."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))  # the recipe of the demo voice is beside the package
    from workbench.classroom.code import CodeLine, find
    from workbench.classroom.lessons import LESSONS
    from workbench.classroom.stops import STOPS

    def shown(line: CodeLine) -> str:
        found = find(line, around=0)
        return f"- the line that {line.why}: `{found.place}`\n\n    ```python\n    {found.source.strip()}\n    ```\n"

    parts = [HEAD]
    for lesson in LESSONS:
        parts.append(f"## [{lesson.number} · {lesson.title}]({lesson.stem}.md)\n")
        parts += [shown(line) for line in lesson.code]
    parts.append("## The eight stops of the page Class\n")
    for number, stop in enumerate(STOPS, 1):
        lesson = stop.lesson
        parts.append(f"{number}. **{stop.title}**, with lesson [{lesson.title}]({lesson.stem}.md): the line that "
                     f"{stop.code.why}, `{find(stop.code).place}`")  # fmt: skip
    return "\n".join(parts) + "\n"
