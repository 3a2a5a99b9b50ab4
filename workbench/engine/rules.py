"""Constants that no user sets: upstream's rules, and the limits of this project."""

from __future__ import annotations

# upstream's rules, which stand as bare numbers in its code
CHUNK_WINDOW_SECONDS = 22.0  # reference + chunk, from which the byte budget follows (utils_infer.infer_process)
SHORT_TEXT_BYTES = 10  # a chunk below this many bytes ...
SHORT_TEXT_SPEED = 0.3  # ... is spoken at this speed, or it would be swallowed
REFERENCE_MAX_SECONDS = 12.0  # a longer reference is clipped
REFERENCE_MIN_CLIP_SECONDS = 6.0  # but not below this
REFERENCE_TAIL_SECONDS = 0.05  # silence appended, or the last phone runs into the chunk
REFERENCE_EDGE_DBFS = -42.0  # quieter than this at either end is cut
TRAINED_SECONDS = 30.0  # longest utterance in the training data of the released models
WINDOW_FRAMES = {"DiT": 8192, "UNetT": 4096}  # mel frames the backbones have text positions for (precompute_max_pos)
EPSS_STEPS = (5, 6, 7, 10, 12, 16)  # step counts with an empirically pruned grid (arXiv 2505.19931)

# our own
REFERENCE_MIN_SECONDS = 0.3
REFERENCE_MAX_FILE_SECONDS = 600.0
REFERENCE_MAX_FILE_BYTES = 2**28  # of a recording that is handed over in memory
REFERENCE_MAX_VALUES = 2**28  # frames x channels that are decoded: ten minutes of stereo at 192 kHz fit
REFERENCE_RATES_HZ = (1_000, 1_000_000)  # below, no speech is left; above, no device records
REFERENCE_MAX_PEAK = 1_000.0  # 60 dB above full scale; a float file beyond this holds no sound
TEXT_MAX_BYTES = 2**24  # twenty novels: more is no text to be spoken
SENTENCE_MAX_BYTES = 4096  # a longer one is parted nowhere that makes sense: it is not prose
REFERENCE_RMS = 0.1  # upstream's level of a reference, -20 dBFS
PACE_RANGE = (0.35, 1.7)  # times the usual pace of its script; outside, a reference and its text hardly belong together
TRAJECTORY_MAX_BYTES = 256 * 2**20  # for a whole run
