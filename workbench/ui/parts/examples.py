"""Example texts."""

from __future__ import annotations

from workbench.lab.text_169 import TEXT_169

EXAMPLES = {
    "One sentence": "The quick brown fox jumps over the lazy dog.",
    "169 characters (upstream issue 75)": TEXT_169,
    "Five sentences": (
        "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. It is easy to tell the "
        "depth of a well. These days a chicken leg is a rare dish. Rice is often served in round bowls."
    ),
    "A paragraph": (
        "When the sunlight strikes raindrops in the air, they act as a prism and form a rainbow. The rainbow is a "
        "division of white light into many beautiful colors. These take the shape of a long round arch, with its path "
        "high above, and its two ends apparently beyond the horizon. There is, according to legend, a boiling pot of "
        "gold at one end. People look, but no one ever finds it. When a man looks for something beyond his reach, his "
        "friends say he is looking for the pot of gold at the end of the rainbow."
    ),
    "Hard to chunk": (
        "no punctuation at all in this sentence which goes on and on because nobody told its writer where to stop and "
        "so the byte budget has to part it between words, then: yes; no! ok?"
    ),
}

# The default of the text area. Session state is no substitute: it reaches the browser only with the script run that
# sets it, and a busy server may start the next script run before sending it. The area would then stay empty.
FIRST_TEXT = next(iter(EXAMPLES.values()))
