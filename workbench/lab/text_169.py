"""Texts that several surfaces show, each stated once. Pure, so that every layer may import it."""

from __future__ import annotations

# As many characters as the text of the measurement this project began from (SWivid/F5-TTS#75). The issue gives the
# number but not the words: these are upstream's own example (f5_tts/infer/examples/basic/basic.toml, 162 characters)
# with "do not" for "don't" and one "whole" put in.
TEXT_169 = (
    "I do not really care what you call me. I've been a silent spectator, watching species evolve, whole empires rise "
    "and fall. But always remember, I am mighty and enduring."
)

# The issue states no number of chunks either. What is known: that day's rule was the reference's bytes per second
# times (30 s - its length), a reference was clipped at 15 s, and the reporter wrote Chinese, of which 169 characters
# are 507 bytes. A reference of 15 s at a pace of 13 bytes a second then gives a budget of 195 bytes: three chunks.
# The English text has 169 bytes; this budget parts it into three as well.
TEXT_169_CHUNK_BYTES = 75
