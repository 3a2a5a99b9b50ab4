"""Write a script as one text that says all of it: every passage has a tag with its settings."""

from __future__ import annotations

from workbench.engine.speech.requests import SpeechRequest
from workbench.engine.text import speakers


def resolved(request: SpeechRequest) -> str:
    """Return the text of ``request``; of a script, with the speeds that were fitted to its times in the tags.

    The ends of the times are left out, so that nothing is fitted again. An ordinary text comes back unchanged.
    """
    script = request.script
    if script is None:
        return request.text
    parts, at = [], 0
    for index, passage in enumerate(script.passages):
        gap = request.text[at : passage.start]
        breaks = "\n" * gap.count("\n") if index else ""  # where paragraphs and chapters end
        tag = speakers.write(passage.speaker, passage.settings, passage.at_seconds)
        parts.append(f"{breaks or ' ' * bool(index)}{tag} {request.text[passage.start : passage.end]}")
        at = passage.end
    return "".join(parts)
