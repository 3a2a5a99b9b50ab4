"""The public interface: its names exist, and importing it is cheap."""

from __future__ import annotations

import subprocess
import sys

import workbench

NAMES = {
    "Engine", "LoadSettings", "Run", "SynthesisSettings", "Voice", "evaluate", "list_runs", "list_voices",
    "load_engine", "load_run", "load_voice", "make_voice", "save_run", "speak_script", "sweep",
}  # fmt: skip


def test_every_name_of_the_public_face_is_there() -> None:
    assert set(workbench.__all__) == NAMES <= set(dir(workbench))
    assert all(getattr(workbench, name).__name__ == name for name in NAMES)


def test_importing_the_workbench_its_runs_and_its_results_loads_no_torch() -> None:
    code = (
        "import sys, workbench\n"
        "import workbench.engine.speech.results, workbench.engine.speech.requests, workbench.engine.runs.files\n"
        "workbench.list_runs(), workbench.LoadSettings, workbench.Run, workbench.save_run\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
