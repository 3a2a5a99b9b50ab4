"""Which weights a file holds: EMA, raw, or both, whatever tables and prefixes they are wrapped in.

Import, load and inventory sort tensors with this one list of words. A path is the keys of the tables around a tensor,
joined by "/", and its name: "ema_model_state_dict/ema_model.transformer.proj_out.bias".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from workbench.engine.cache.headers import Header, TensorInfo
from workbench.engine.errors import WeightsError
from workbench.engine.visible import shorten, visible

TABLE = "/"
KINDS = ("ema", "raw")
_AVERAGED = ("ema", "swa", "averaged", "avg", "shadow")
# Words made of these parts wrap weights: module, _orig_mod, ema_model_state_dict, online_model, net, ...
_PARTS = {
    *("model", "models", "module", "net", "network", "cfm", "generator", "online", "raw", *_AVERAGED),
    *("state", "dict", "weights", "weight", "params", "parameters", "checkpoint", "ckpt"),
    *("orig", "mod", "forward", "fsdp", "wrapped"),
}
# Those that PyTorch also puts inside of a name, around a part of the model
_WITHIN = {"module", "_orig_mod", "_forward_module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
_ALWAYS_WRAPS = {*_WITHIN, "transformer"}
_TRAINING = ("optim", "sched", "lr_")  # begin the names of what a training keeps beside the weights
_COUNTERS = ("update", "global_update", "step", "global_step")  # the first that is there counts the updates
# Upstream's EMA (ema_pytorch: power 2/3, every tenth update) reaches back over 10 n^(2/3) of n updates: over half of
# them all at 8,000
EMA_SETTLED_UPDATES = 10_000


@dataclass(frozen=True)
class Shape:
    """How the tensors of a kind of model are named: first words, those beside that are left out, and the prefix."""

    roots: frozenset[str]
    left_out: frozenset[str]
    prefix: str = ""


ACOUSTIC = Shape(
    frozenset({
        "time_embed", "text_embed", "input_embed", "rotary_embed", "transformer_blocks", "layers", "norm_out",
        "proj_out", "long_skip_connection",
    }),
    frozenset({"mel_spec", "mel_stft", "mel_scale", "spectrogram"}),
    "transformer.",
)  # fmt: skip
VOCODER = Shape(
    frozenset({"feature_extractor", "backbone", "head"}),
    frozenset({"multiperioddisc", "multiresddisc", "melspec_loss", "feat_matching_loss", "disc_loss", "gen_loss"}),
)


@dataclass(frozen=True)
class Layer:
    """One set of weights in a file.

    Attributes:
        kind: "ema" or "raw".
        wrapped: what the names are wrapped in, such as "ema_model_state_dict/ema_model"; empty if in nothing.
        paths: name as the model has it, to path in the file.
        foreign: names beside the weights that no model here has.
    """

    kind: str
    wrapped: str
    paths: dict[str, str] = field(hash=False)
    foreign: tuple[str, ...] = ()

    def header(self, tensors: Mapping[str, TensorInfo]) -> Header:
        """The layer as a header with the model's names. ``tensors``: those of the file by path."""
        return Header({name: tensors[path] for name, path in self.paths.items()}, {}, 0)


@dataclass(frozen=True)
class Layers:
    """All that a file holds. ``n_updates``: how long it was trained, None if it does not say."""

    found: dict[str, Layer] = field(hash=False)
    lacking: tuple[str, ...] = ()  # of the EMA weights, against the raw ones
    n_updates: int | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """ "ema" and "raw", as far as they are there."""
        return tuple(kind for kind in KINDS if kind in self.found)

    def choose(self, wanted: str, name: str) -> Layer:
        """The weights to use: for "auto" EMA as upstream, unless they are incomplete.

        Raises:
            WeightsError: there are none of the kind; the message says what there is in the file ``name``.
        """
        if not self.found:
            raise WeightsError(f"{name} holds no weights of this kind of model.", remedy="Give the right file.")
        if wanted != "auto" and wanted not in self.found:
            raise WeightsError(
                f"{name} holds no {_WORDS[wanted]} weights, only {_WORDS[self.kinds[0]]} weights.",
                remedy=f"Choose --weights {self.kinds[0]}, or auto.",
            )
        if wanted == "auto":
            wanted = "raw" if "raw" in self.found and (self.lacking or "ema" not in self.found) else self.kinds[0]
        return self.found[wanted]

    def describe(self, taken: str) -> str:
        """One line for people: what is there, what is taken, and whether another choice may be better."""
        said = f"{' and '.join(_WORDS[kind] for kind in self.kinds)} weights"
        said += f"; {_WORDS[taken]} taken" if len(self.kinds) > 1 else " only"
        if self.found[taken].wrapped == "ema_model_state_dict":  # upstream's pruning writes raw weights there, too
            said += " (under the key of EMA weights, but with the names of raw ones, as after upstream's pruning)"
        if self.lacking:
            said += f" (the EMA weights lack {len(self.lacking)} tensors, such as {shorten(visible(self.lacking[0]))})"
        if taken == "ema" and self.n_updates is not None and self.n_updates < EMA_SETTLED_UPDATES:
            other = "--weights raw may sound better" if "raw" in self.found else "the raw weights may sound better"
            said += (
                f". They average only {self.n_updates:,} updates, mostly of what the training began with, and may "
                f"sound like noise or like that model: {other}"
            )
        return said + "."


_WORDS = {"ema": "EMA", "raw": "raw"}


def _wraps(word: str) -> bool:
    """Whether ``word`` only says that weights follow."""
    return word in _ALWAYS_WRAPS or all(part in _PARTS for part in word.lower().strip("_").split("_"))


def _split(path: str, shape: Shape) -> tuple[tuple[str, ...], str, str]:
    """(words around a tensor, its name in the model, the path after those words).

    The name is "" if the tensor belongs to no model of ``shape``.
    """
    words = _words(path)
    at = 0
    while at < len(words) - 1 and words[at] not in shape.roots and _wraps(words[at]):
        at += 1
    if words[at] not in shape.roots and shape.prefix:  # a word that is not known is no hindrance: "student.transformer"
        at = next((i for i in range(1, len(words)) if _begins(words, i, shape)), at)
    around = tuple(w for w in words[:at] if w != "transformer")
    name = shape.prefix + ".".join(w for w in words[at:] if w not in _WITHIN) if words[at] in shape.roots else ""
    return around, name, path[sum(len(w) + 1 for w in words[:at]) :]


def _begins(words: list[str], at: int, shape: Shape) -> bool:
    """Whether the name of a tensor of the model begins at ``words[at]``; "layers" alone is too common a word."""
    return words[at] in shape.roots and (words[at] != "layers" or words[at - 1] == "transformer")


def _words(path: str) -> list[str]:
    return path.replace(TABLE, ".").split(".")


def _kind(around: tuple[str, ...]) -> str:
    """ "ema" or "raw" by the last word that tells; upstream's EMA holds the raw model as online_model."""
    for word in reversed(around):
        parts = word.lower().split("_")
        if "online" in parts or "raw" in parts:
            return "raw"
        if not set(parts).isdisjoint(_AVERAGED):
            return "ema"
    return "raw"


def _is_ema(around: tuple[str, ...]) -> bool:
    return bool(around) and _kind(around[:1]) == "ema"


def _merged(kind: str, lanes: dict[tuple[str, ...], dict[str, str]], foreign: tuple[str, ...]) -> Layer:
    """The fullest of ``lanes``, and from the others what it lacks."""
    ordered = sorted(lanes, key=lambda around: -len(lanes[around]))
    paths: dict[str, str] = {}
    for around in ordered:
        paths |= {name: path for name, path in lanes[around].items() if name not in paths}
    return Layer(kind, ".".join(ordered[0]), paths, foreign)


def sort_layers(
    tensors: Mapping[str, TensorInfo], shape: Shape = ACOUSTIC, counters: Mapping[str, int] | None = None
) -> Layers:
    """Sort the tensors of a file into EMA and raw weights.

    Args:
        tensors: path to type and shape.
        shape: of which kind of model.
        counters: numbers in the file by path, such as "update".

    Raises:
        WeightsError: it holds several models with names that do not say which is which.
    """
    lanes: dict[tuple[str, ...], dict[str, str]] = {}
    beside: dict[tuple[str, ...], list[str]] = {}
    for path, info in tensors.items():
        around, name, rest = _split(path, shape)
        if name:
            lanes.setdefault(around, {})[name] = path
        elif TABLE not in rest and any(n != 1 for n in info.shape) and not _is_left_out(rest, shape):
            beside.setdefault(around, []).append(rest)
    kinds = _kinds(lanes)
    found = {}
    for kind in KINDS:
        mine = {around: lanes[around] for around in kinds if kinds[around] == kind}
        if mine:
            found[kind] = _merged(kind, mine, tuple(name for around in mine for name in beside.get(around, ())))
    lacking = found["raw"].paths.keys() - found["ema"].paths.keys() if len(found) == len(KINDS) else ()
    return Layers(found, tuple(sorted(n for n in lacking if ".rotary_embed." not in n)), _updates(counters or {}))


def _is_left_out(rest: str, shape: Shape) -> bool:
    word = rest.split(".")[0]
    return word in shape.left_out or word.startswith(_TRAINING)


def _kinds(lanes: Mapping[tuple[str, ...], Mapping[str, str]]) -> dict[tuple[str, ...], str]:
    """The lanes to use, by the words around their tensors, each with its kind. Raises WeightsError if none tells."""
    kinds = {around: _kind(around) for around in lanes if all(map(_wraps, around))}
    names = [lanes[around].keys() for around in kinds]
    for kind in KINDS:  # a word that is not known is no hindrance where nothing else is there
        odd = [around for around in lanes if around not in kinds and _kind(around) == kind]
        if len(odd) > 1 and not names:
            raise WeightsError(
                f"It holds {len(odd)} models: {', '.join(shorten(visible('.'.join(a))) for a in odd[:4])}.",
                remedy="Keep the weights of one of them, under state_dict.",
            )
        if len(odd) == 1 and kind not in kinds.values() and (not names or lanes[odd[0]].keys() in names):
            kinds[odd[0]] = kind
    if set(kinds.values()) == {"ema"} and any(map(_is_ema, kinds)):  # two tables with the names of EMA weights
        kinds = {around: "ema" if _is_ema(around) else "raw" for around in kinds}
    return kinds


def _updates(counters: Mapping[str, int]) -> int | None:
    """Updates of the training: the smaller of what the run and its EMA have counted."""
    run = next((counters[name] for name in _COUNTERS if name in counters), None)
    ema = [value for path, value in counters.items() if path not in _COUNTERS and _words(path)[-1] == "step"]
    seen = [value for value in (run, *ema) if value is not None and value >= 0]
    return min(seen) if seen else None


def is_counter(path: str) -> bool:
    """Whether the number at ``path`` counts updates: at the top of the file, or in a table of weights."""
    *around, last = _words(path)
    return last in _COUNTERS and all(map(_wraps, around))
