"""The text of the loading lab, stated once. Imports nothing, so that every layer may import it."""

from __future__ import annotations

# As many characters as the text in SWivid/F5-TTS#75, which gives the number but not the words. These are upstream's
# example (f5_tts/infer/examples/basic/basic.toml, 162 characters) with "do not" for "don't" and "whole" inserted.
TEXT_169 = (
    "I do not really care what you call me. I've been a silent spectator, watching species evolve, whole empires rise "
    "and fall. But always remember, I am mighty and enduring."
)

# The issue does not state the number of chunks. The rule then was the reference's bytes per second times (30 s - its
# length), references were clipped at 15 s, and 169 Chinese characters are 507 bytes. A reference of 15 s with 13 bytes
# a second gives a budget of 195 bytes: three chunks. The English text has 169 bytes; this budget gives three as well.
TEXT_169_CHUNK_BYTES = 75
