"""Locks of the whole process, for what must not happen while a CUDA graph is recorded."""

from __future__ import annotations

import threading

RECORDING = threading.RLock()
"""Held while a graph is recorded, and while a thread waits for a whole device.

Waiting for a device ends every recording on it with an error, whichever thread waits and whatever the mode of the
recording. PyTorch also allows only one recording at a time in a process.
"""

COMPILING = threading.RLock()
"""Held while the compiler works, and, before ``RECORDING``, while a graph is recorded.

The compiler waits for the device, and reads the state of its random generator. A recording locks that state.
"""
