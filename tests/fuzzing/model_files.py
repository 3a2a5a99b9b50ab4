"""Files of a model with faults: weights, checkpoints, configurations and manifests, damaged or hostile."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tests.fuzzing import damage
from tests.fuzzing.drawing import Source

CANARY = "PWNED"
_SHELL = f"touch {CANARY}"
# what a vocoder's configuration might name instead of Vocos's own parts: Vocos builds whatever stands there
_CLASSES = (
    *("os.system", "subprocess.Popen", "builtins.eval", "builtins.exec", "pathlib.Path", "torch.load"),
    *("vocos.pretrained.instantiate_class", "vocos.pretrained.torch.load", "vocos.pretrained.Vocos.from_pretrained"),
    *(
        "vocos.experiment.VocosExp",
        "vocos.pretrained.nn.Linear",
        "vocos.heads.os.system",
        "vocos.dataset.VocosDataModule",
    ),
    *("vocos.feature_extractors.EncodecFeatures", "vocos.models.VocosResNetBackbone", "vocos.heads.IMDCTSymExpHead"),
    *("vocos.heads", "vocos.", "vocos.heads.Nothing", "x", "", "..", "vocos.heads.ISTFTHead.__init__.__globals__"),
)
_INNER = {"args": _SHELL, "init": {"class_path": "os.system"}}
_ARGUMENTS = (
    {},
    _INNER,
    {"args": [], "init": {"class_path": "x", "init_args": _INNER}},
    {"command": _SHELL},
    {"dim": 16},
)


class _Hostile:
    """Pickles as a call of ``function`` with ``arguments``."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


def _opcodes(source: Source) -> bytes:
    """Short pickles that ask for much: memory, memo slots, depth, or code."""
    random = source.random
    size = random.choice((10**6, 2 * 10**9, 3 * 10**9))
    return random.choice(
        (
            b"\x80\x05\x96" + struct.pack("<Q", size) + b".",  # BYTEARRAY8
            b"\x80\x05\x8e" + struct.pack("<Q", size) + b".",  # BINBYTES8
            b"\x80\x04\x8d" + struct.pack("<Q", size) + b".",  # BINUNICODE8
            b"\x80\x02]r\xff\xff\xff\x7f.",  # LONG_BINPUT
            b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",  # FRAME
            b"\x80\x02" + b"(" * 10**6 + b".",
            b"\x80\x02" + b"]" + b"\x85" * 10**6 + b".",  # a tuple in a tuple ...
            b"\x80\x02" + b"K\x01" * 3 * 10**6 + b".",
            b"\x80\x02" + b"]" + b"2\x86" * 40 + b".",  # doubled with every step
            b"\x80\x02\x8a\xff" + b"\x7f" * 255 + b".",  # LONG1
            b"\x80\x02\x8b" + struct.pack("<i", 2**30) + b".",  # LONG4
            b"I" + b"9" * 10**6 + b"\n.",
            b"cos\nsystem\n(S'" + _SHELL.encode() + b"'\ntR.",
            b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0b" + _SHELL.encode() + b"\x85R.",
            b"\x80\x02ctorch\nload\n(S'x'\ntR.",
            b'\x80\x02c__builtin__\neval\n(S\'open("PWNED", "w")\'\ntR.',
        )
    )


def _checkpoint(source: Source, good: Path) -> bytes:
    """A .pt of either format: damaged, hostile, or a bomb."""
    import torch

    random = source.random
    ways = (
        "bytes",
        "bytes",
        "legacy bytes",
        "opcodes",
        "opcodes",
        "legacy opcodes",
        "legacy opcodes",
        "hostile",
        "member",
    )
    how = random.choice(ways)
    source.note(f"checkpoint: {how}")
    if how == "bytes":
        return damage.in_bytes(random, good.read_bytes())
    if how == "legacy opcodes":
        return _opcodes(source)
    buffer = io.BytesIO()
    if how == "legacy bytes":
        torch.save(torch.load(good, weights_only=True), buffer, _use_new_zipfile_serialization=False)
        return damage.in_bytes(random, buffer.getvalue())
    if how == "hostile":
        call = random.choice(
            (_Hostile(os.system, _SHELL), _Hostile(eval, f"open({CANARY!r}, 'w')"), _Hostile(exec, "1"))
        )
        table = random.choice(({"ema_model_state_dict": {"x": call}}, {"x": call}, call, {call: 1}))
        if random.random() < 0.3:
            return pickle.dumps(table, protocol=random.choice((0, 2, 4)))
        torch.save(table, buffer, _use_new_zipfile_serialization=random.random() < 0.5)
        return buffer.getvalue()
    return _with_member(source, good, _opcodes(source) if how == "opcodes" else None)


def _with_member(source: Source, good: Path, description: bytes | None) -> bytes:
    """The zip of a checkpoint with another data.pkl; None: the pickle's own bytes damaged."""
    buffer = io.BytesIO()
    method = source.random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2))
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(buffer, "w", method) as new:
        for info in old.infolist():
            content = old.read(info)
            if info.filename.endswith("data.pkl"):
                content = damage.in_bytes(source.random, content) if description is None else description
            new.writestr(info.filename, content)
    raw = buffer.getvalue()
    return raw if source.random.random() < 0.7 else damage.in_bytes(source.random, raw)


def _safetensors(source: Source, good: Path) -> bytes:
    """A damaged safetensors file: its header's fields, its bytes, or its numbers."""
    raw = good.read_bytes()
    how = source.random.choice(("header", "header", "bytes", "length", "numbers"))
    source.note(f"safetensors: {how}")
    if how == "bytes":
        return damage.in_bytes(source.random, raw)
    if how == "length":
        return struct.pack("<Q", source.random.choice((0, 1, 10**8, 10**8 + 1, 2**40, 2**64 - 1))) + raw[8:]
    header, data = damage.safetensors_parts(raw)
    if how == "numbers":
        odd = source.random.choice((np.nan, np.inf, 3e38, 0.0, 1e-40))
        return raw[: -len(data)] + np.full(len(data) // 4, odd, np.float32).tobytes().ljust(len(data), b"\0")
    return damage.safetensors_with(damage.in_json(source, header), data)


def spoil(source: Source, folder: Path) -> None:
    """Damage one or two files of a model."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    for path in source.random.sample(files, source.random.choice((1, 1, 1, 2))):
        source.note(str(path.relative_to(folder)))
        path.write_bytes(_spoiled(source, path))


def _spoiled(source: Source, path: Path) -> bytes:
    if path.suffix == ".safetensors":
        return _safetensors(source, path)
    if path.suffix in (".pt", ".bin"):
        return _checkpoint(source, path)
    if path.parent.name == "vocos" and source.random.random() < 0.5:
        return _other_parts(source, yaml.safe_load(path.read_text("utf-8")))
    if path.suffix == ".yaml" and source.random.random() < 0.8:
        return damage.in_yaml(source, yaml.safe_load(path.read_text("utf-8")))
    if path.suffix == ".json" and source.random.random() < 0.8:
        return damage.in_json(source, json.loads(path.read_text("utf-8")))
    return damage.in_bytes(source.random, path.read_bytes())


def _other_parts(source: Source, document: dict[str, Any]) -> bytes:
    """A vocoder's configuration that names other classes than Vocos's own, with arguments of theirs or of any kind."""
    part = source.random.choice((*document, "more"))
    name = source.random.choice((*_CLASSES, "vocos.pretrained.instantiate_class", "vocos.pretrained.instantiate_class"))
    own = document.get(part, {}).get("init_args", {})
    arguments = source.random.choice((*_ARGUMENTS, _INNER, own))
    source.note(f"{part} is {name}({arguments})")
    document[part] = {"class_path": name, "init_args": arguments}
    return yaml.safe_dump(document).encode()
