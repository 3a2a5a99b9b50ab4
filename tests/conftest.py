"""Fixtures of all tests: a temporary home, no network, and an engine that runs in milliseconds."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests import scheduling
from workbench.engine.catalog import ModelSpec, VocoderConfig, bundled_folder
from workbench.engine.settings import MelConfig

# one thread each, for tests that run side by side and the servers they start; before torch is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

TINY_ARCH = {
    "dim": 32,
    "depth": 1,
    "heads": 2,
    "dim_head": 16,
    "ff_mult": 2,
    "text_dim": 16,
    "conv_layers": 1,
    "text_mask_padding": True,
}
TINY_VOCOS = VocoderConfig(dim=16, intermediate_dim=32, num_layers=1)
TINY_SPEC = ModelSpec("tiny", "Tiny random model", "DiT", TINY_ARCH, MelConfig(), "MIT", ("en",), kind="imported")
REF_TEXT = "Some call me nature, others call me mother nature."


# what `make test-fast` leaves out, beside browser and notebooks: servers, trainings, processes that start many others,
# time-outs that are waited for; folders, files, and single tests
SLOW = (
    *("cli/test_bench.py", "engine/checks/test_bench.py", "engine/checks/test_bench_runs.py"),
    "cli/test_commands.py::test_a_command_imports_only_what_it_needs",
    "ui/test_start.py::test_the_first_page_is_drawn_before_anything_large_is_imported",
    *("training", "lab/test_lab.py", "lab/test_loopback_hub.py", "test_docs.py", "test_fuzz.py", "test_wheel.py"),
    *(
        "ui/test_chunk_size.py",
        "ui/test_look_page.py",
        "ui/test_flow_page.py",
        "ui/test_models_page.py",
        "ui/test_runs_page.py",
    ),
    *("ui/test_books.py", "ui/test_document.py", "ui/test_workspace.py", "engine/sweeps/test_sizes.py"),
    *("ui/test_measured_view.py", "ui/test_listen_page.py", "ui/test_long_runs.py", "ui/test_own_voices.py"),
    *(
        "ui/test_served_app.py",
        "ui/dock/test_sounds.py",
        "ui/test_synthesize.py",
        "ui/test_takes.py",
        "engine/cache/test_fetch.py",
    ),
    *("cli/test_synth.py", "engine/cache/test_checkpoints.py", "engine/cache/test_hub_faults.py"),
    "cli/test_scripts.py",
    "ui/scripts",
    *("engine/cache/test_clutter.py", "engine/catalog/test_configurations.py", "engine/evaluation/test_running.py"),
    *("engine/model/backends/test_filled_up.py", "engine/model/backends/test_on_device.py"),
    *("engine/model/backends/test_graphs.py", "engine/model/backends/test_compiling.py"),
    *("engine/reuse", "engine/runs/parts/test_long_runs.py"),
    *(
        "engine/sweeps/test_running.py",
        "ui/test_sweep_page.py",
        "ui/test_loading_lab.py",
        "notebooks/test_runner.py",
        "ui/test_class_page.py",
    ),
    "engine/runs/test_index_processes.py",
    "engine/runs/takes/test_processes.py",
    "engine/scripts/test_script_runs.py::test_a_long_script_is_kept_chunk_by_chunk_and_goes_on",
    "cli/test_doors.py::test_the_interpreter_complains_about_no_stream_at_its_end",
    "cli/test_synth.py::test_a_run_is_spoken_again_from_its_folder",
    "engine/cache/test_archive_limits.py::test_a_bomb_takes_no_memory",
    "engine/cache/test_archives.py::test_a_flipped_bit_is_refused_or_harmless",
    "engine/cache/test_cache_faults.py::test_imports_of_several_processes",
    "engine/evaluation/test_running.py::test_a_killed_process_goes_on",
    "engine/runs/test_document.py::test_no_damage_of_one_field_or_file_ends_in_a_traceback",
)
# what `make test` leaves to `make test-thorough`, which CI runs too: every page by every means, toy trainings, benches
THOROUGH = (
    *("browser/test_accessibility.py", "browser/test_takes.py", "browser/test_scripts.py", "browser/test_book.py"),
    "browser/test_loading_lab.py::test_the_story_is_measured",
    "browser/test_robustness.py::test_every_page_is_whole_in_both_themes_and_on_a_phone",
    "browser/test_inspection_pages.py::test_a_minute_is_drawn_fluidly",
    *(
        f"browser/test_dock.py::test_{name}"
        for name in ("the_bar_covers_nothing_and_fits_a_phone", "a_loop_comes_round_without_a_gap")
    ),
    *(
        f"browser/test_dock_sounds.py::test_{name}"
        for name in (
            "a_run_is_heard_while_it_is_made",
            "a_book_of_hundreds_of_chunks_plays_from_anywhere_in_bounded_memory",
            "a_sound_that_is_gone_is_named_and_playing_it_again_asks_again",
            "a_page_of_the_same_recording_does_not_interrupt_and_another_run_does",
        )
    ),
    *("cli/test_bench.py", "engine/checks/test_bench.py", "engine/checks/test_bench_runs.py"),
    *("training", "test_fuzz.py"),
    *(f"test_docs.py::test_{name}" for name in ("commands_run", "python_blocks_run", "the_tutorial_runs")),
    *(
        f"lab/test_lab.py::test_{name}"
        for name in (
            "cancelling_takes_everything_along",
            "killing_the_lab_leaves_nothing",
            "a_killed_keeper_is_cleared_up_after",
            "a_cell_that_takes_too_long_is_stopped_and_said_so",
        )
    ),
)
SLOW_SECONDS = 240  # a test among these, on a busy machine; else pytest-timeout's in pyproject.toml


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow, and what only a thorough run needs; the longest files come first."""
    here = Path(__file__).parent
    in_browsers = tuple(f"browser/{name}" for name in scheduling.ANOTHER)
    for place, _, name in (slow.partition("::") for slow in SLOW + THOROUGH + scheduling.LONG + in_browsers):
        known = not name or f"def {name}(" in (here / place).read_text(encoding="utf-8")
        assert (here / place).exists() and known, f"a list names what is no longer here: {place} {name}"
    for item in items:
        path = item.path.relative_to(here) if here in item.path.parents else item.path
        names = {str(path), *map(str, path.parents), f"{path}::{getattr(item, 'originalname', item.name)}"}
        if names.intersection(SLOW):
            item.add_marker(pytest.mark.slow)
        if names.intersection(THOROUGH):
            item.add_marker(pytest.mark.thorough)
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(SLOW_SECONDS))
    items.sort(key=lambda item: scheduling.rank(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``--dist loadfile``, the longest files are handed out first, not those with the most tests."""
    if config.getoption("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False
    return scheduling.LongestFirst(config, log)


class NetworkForbidden(AssertionError):
    """A test tried to leave this machine."""


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Cache and runs of a test lie in a folder of its own; the user's Hugging Face cache is out of sight."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("WORKBENCH_HOME", str(folder))
    monkeypatch.setenv("HF_HOME", str(folder / "huggingface"))
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_ENDPOINT", "HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any connect or look-up outside of loopback fails the test."""
    real_connect, real_lookup = socket.socket.connect, socket.getaddrinfo

    def is_local(host: object) -> bool:
        return host in (None, "", "localhost", "::1", b"localhost") or str(host).startswith("127.")

    def connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not is_local(address[0]):
            raise NetworkForbidden(f"connect to {address}")
        real_connect(self, address)

    def lookup(host: Any, *args: Any, **kwargs: Any) -> Any:
        if not is_local(host):
            raise NetworkForbidden(f"look-up of {host!r}")
        return real_lookup(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", lookup)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model of depth 1 on disk, with the demo voice's vocabulary, in the layout of the demo voice."""
    from workbench.engine.model.random_weights import write_flat

    folder = tmp_path_factory.mktemp("tiny")
    return write_flat(TINY_SPEC, folder, vocoder_config=TINY_VOCOS, vocab=bundled_folder() / "vocab.txt")


@pytest.fixture(scope="session")
def tiny_engine(tiny_folder: Path) -> Any:
    """An engine on the tiny model, loaded through the real code."""
    from workbench.engine.model.loading import load
    from workbench.engine.settings import LoadSettings
    from workbench.engine.speech.synthesis import Engine

    return Engine(load(TINY_SPEC, LoadSettings(device="cpu", dtype="fp32"), folder=tiny_folder))


@pytest.fixture(scope="session")
def demo_engine() -> Any:
    """An engine on the demo voice, loaded once for all tests."""
    from workbench.engine.speech.synthesis import load_engine

    return load_engine("demo-voice", device="cpu", dtype="fp32")


@pytest.fixture(scope="session")
def voice() -> Any:
    """A short, real reference: the English recording of the f5-tts package."""
    from workbench.engine.speech.voices import load_voice

    return load_voice("nature-en")


@pytest.fixture(scope="session")
def speech() -> np.ndarray:
    """Something that is loud where speech is loud: 3 s of harmonics with pauses, float32 at 24 kHz."""
    t = np.arange(72_000) / 24_000
    carrier = sum(np.sin(2 * np.pi * 120 * k * t) / k for k in range(1, 20))
    envelope = np.clip(np.sin(2 * np.pi * 1.5 * t), 0, None)
    return (0.1 * carrier * envelope).astype(np.float32)


@pytest.fixture
def demo_home(_own_home: Path) -> Path:
    """A home of its own that holds a copy of the demo voice, for tests that change it."""
    shutil.copytree(bundled_folder(), _own_home / "cache" / "demo-voice")
    return _own_home


@pytest.fixture
def tiny_home(_own_home: Path, tiny_folder: Path, tmp_path: Path) -> Path:
    """The home of the test, with the tiny model imported into its cache."""
    from workbench.engine.cache import import_model

    described = {"backbone": "DiT", "arch": TINY_ARCH, "mel_spec": {"target_sample_rate": 24_000}}
    shutil.copytree(tiny_folder, source := tmp_path / "tiny source")
    (source / "config.yaml").write_text(yaml.safe_dump({"model": described}), encoding="utf-8")
    import_model(source, name="tiny")
    return _own_home
