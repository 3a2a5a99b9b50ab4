"""Sort runs into systems, which are compared, and items, which are the texts that all of them speak."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.engine.errors import ListeningError
from workbench.engine.runs import comparison
from workbench.engine.runs.summary import RunSummary

RUN = "run"  # each run is a system of its own
SYSTEMS_MAX, ITEMS_MAX = 8, 100
RUNS_MAX = SYSTEMS_MAX * ITEMS_MAX
ITEM_MAX_SECONDS = 120.0


@dataclass(frozen=True)
class Item:
    """A text, and the id of the run of each system that speaks it."""

    text: str
    runs: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """What a listening test compares.

    Attributes:
        systems: names, such as "nfe_step 7"; listeners never see them.
        items: texts; each has a run of every system.
        n_left_out: runs without a counterpart in every system.
    """

    systems: tuple[str, ...]
    items: tuple[Item, ...]
    n_left_out: int = 0


def choices(runs: Sequence[RunSummary]) -> list[str]:
    """Return what ``runs`` can be compared by: settings that differ, and ``RUN`` if all speak one text.

    Raises:
        ListeningError: there are too many runs.
    """
    _check_count(runs)
    if len(runs) < 2:
        return []
    names = [row["setting"] for row in comparison.differing(runs) if row["setting"] not in ("text", "seed")]
    seeds = ["seed"] if len({run.settings.get("seed") for run in runs}) > 1 else []
    return [*names, *seeds, *([RUN] if len({run.text for run in runs}) == 1 else [])]


def group(runs: Sequence[RunSummary], by: str) -> Layout:
    """Return the systems, one for each value of the setting ``by``, and the items that all of them speak.

    Runs belong to one item if their texts and all other settings are equal; if there is no such item, if their texts
    and seeds are; else if their texts are. Of several such runs of one system, the newest is taken.

    Raises:
        ListeningError: there are fewer than two systems, too many systems or items, or no item.
    """
    _check_count(runs)
    runs = [run for run in runs if run.seconds <= ITEM_MAX_SECONDS]
    systems = {run.id: run.id if by == RUN else _label(by, _asked(run).get(by)) for run in runs}
    names = tuple(dict.fromkeys(sorted(systems.values(), key=_natural)))
    if len(names) < 2:
        raise ListeningError(
            f"There are {len(names)} systems to compare.",
            remedy=f"Choose runs of at most {ITEM_MAX_SECONDS:.0f} s that differ in {by}.",
        )
    if len(names) > SYSTEMS_MAX:
        raise ListeningError(f"{len(names)} systems are compared.", remedy=f"Choose {SYSTEMS_MAX} at most.")
    for key in () if by == RUN else (_everything_but(by, runs), _text_and_seed):
        items = _items(runs, systems, names, key)
        if items:
            break
    else:
        items = _items(runs, systems, names, lambda run: run.text)
    if not items:
        raise ListeningError("No text is spoken by all systems.", remedy="Choose runs of the same texts.")
    if len(items) > ITEMS_MAX:
        raise ListeningError(f"There are {len(items)} texts.", remedy=f"Choose {ITEMS_MAX} at most.")
    return Layout(names, tuple(items), len(runs) - len(items) * len(names))


def _check_count(runs: Sequence[RunSummary]) -> None:
    if len(runs) > RUNS_MAX:
        raise ListeningError(f"{len(runs):,} runs are chosen.", remedy=f"Choose {RUNS_MAX} at most.")


def _items(
    runs: Sequence[RunSummary],
    systems: dict[str, str],
    names: Sequence[str],
    key: Callable[[RunSummary], Hashable],
) -> list[Item]:
    """Return the items whose runs have equal ``key`` and of which every system has one."""
    found: dict[Hashable, dict[str, RunSummary]] = {}
    for run in sorted(runs, key=lambda run: run.id):  # the newest replaces older ones
        found.setdefault(key(run), {})[systems[run.id]] = run
    whole = [own for own in found.values() if len(own) == len(names)]
    return [Item(own[names[0]].text, tuple(own[name].id for name in names)) for own in whole]


def _asked(run: RunSummary) -> dict[str, Any]:
    return {"model": run.model, "voice": run.voice, "device": run.device, "dtype": run.dtype} | run.load | run.settings


def _everything_but(by: str, runs: Sequence[RunSummary]) -> Callable[[RunSummary], Hashable]:
    names = {name for run in runs for name in _asked(run)} - {by}
    return lambda run: (run.text, *(repr(_asked(run).get(name)) for name in sorted(names)))


def _text_and_seed(run: RunSummary) -> Hashable:
    return run.text, run.settings.get("seed")


def _label(by: str, value: Any) -> str:
    return f"{by} {'unset' if value is None else value}"


def _natural(label: str) -> tuple[str, float, str]:
    """Sort key: numbers by their value."""
    name, _, value = label.rpartition(" ")
    try:
        return name, float(value), value
    except ValueError:
        return name, float("inf"), value
