"""Constants that users cannot set: upstream's rules, and limits of the workbench."""

from __future__ import annotations

# upstream's rules, which are literal numbers in its code
CHUNK_WINDOW_SECONDS = 22.0  # longest reference + chunk; gives the byte budget (utils_infer.infer_process)
SHORT_TEXT_BYTES = 10  # chunks with fewer bytes ...
SHORT_TEXT_SPEED = 0.3  # ... are spoken at this speed; faster, words would be skipped
REFERENCE_MAX_SECONDS = 12.0  # longer references are clipped ...
REFERENCE_MIN_CLIP_SECONDS = 6.0  # ... to at least this length
REFERENCE_TAIL_SECONDS = 0.05  # appended silence, so that the last phone does not run into the chunk
REFERENCE_EDGE_DBFS = -42.0  # both ends are trimmed below this level
TRAINED_SECONDS = 30.0  # longest utterance in the training data of the released models
WINDOW_FRAMES = {"DiT": 8192, "UNetT": 4096}  # mel frames the backbones have text positions for (precompute_max_pos)
EPSS_STEPS = (5, 6, 7, 10, 12, 16)  # step counts with an empirically pruned grid (arXiv 2505.19931)

# limits of the workbench
REFERENCE_MIN_SECONDS = 0.3
REFERENCE_MAX_FILE_SECONDS = 600.0
REFERENCE_MAX_FILE_BYTES = 2**28  # of a recording in memory
REFERENCE_MAX_VALUES = 2**28  # decoded frames x channels: ten minutes of stereo at 192 kHz fit
REFERENCE_RATES_HZ = (1_000, 1_000_000)  # lower rates hold no speech; no device records at higher ones
REFERENCE_MAX_PEAK = 1_000.0  # 60 dB above full scale; a float file above this holds no sound
TEXT_MAX_BYTES = 2**24  # about twenty novels
SENTENCE_MAX_BYTES = 4096  # longer sentences are not prose and have no sensible place to split
REFERENCE_RMS = 0.1  # upstream's level of a reference, -20 dBFS
PACE_RANGE = (0.35, 1.7)  # times the usual pace of its script; outside, a reference and its text rarely match
TRAJECTORY_MAX_BYTES = 256 * 2**20  # for a whole run
LONG_RUN_CHUNKS = 64  # a run with more is kept chunk by chunk: some ten minutes of speech, 80 MB of wave and mel
SCRIPT_MAX_GAP_SECONDS = 600.0  # silence between two passages that have times
SCRIPT_IN_MEMORY_SECONDS = 3_600.0  # of a script that is not a long run, whose wave is in memory: 350 MB
SCRIPT_MAX_SECONDS = 86_400.0  # of a script; a WAV file holds little more
