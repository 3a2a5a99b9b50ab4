"""Checkpoints and headers from other people: read with limits, equally at import and at load, and never run."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from tests.conftest import TINY_ARCH, TINY_SPEC
from workbench.engine.cache import import_model, read_checkpoint, read_header
from workbench.engine.errors import WeightsError, WorkbenchError
from workbench.engine.model.loading import load
from workbench.engine.model.weights import read_tensors
from workbench.engine.settings import LoadSettings

TWELVE = b"\x80\x05\x96" + struct.pack("<Q", 15 * 10**8) + b"."


def zipped(pickle: bytes, method: int = zipfile.ZIP_STORED, **more: bytes) -> bytes:
    """A checkpoint as torch lays it out, around ``pickle``."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, data in {"data.pkl": pickle, "version": b"3\n", **more}.items():
            archive.writestr(f"model/{name}", data)
    return content.getvalue()


def saved(content: Any, *, new: bool = True) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, _use_new_zipfile_serialization=new)
    return stream.getvalue()


def rebuilt(storage: bytes, shape: bytes, stride: bytes) -> bytes:
    """The pickle of ``{"w": tensor}``: opcodes of the storage's size, the shape and the stride as given."""
    name = b"X\x01\x00\x00\x00w"
    block = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu" + storage + b"tQ"
    made = (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + block
        + b"K\x00"
        + shape
        + stride
        + b"\x89ccollections\nOrderedDict\n)RtR"
    )
    return b"\x80\x02}" + name + made + b"s."


def whole(n: int) -> bytes:
    return b"\x8a\x08" + struct.pack("<q", n)


HOSTILE = {
    "one opcode that asks for 1.5 GB": TWELVE,
    "bytearray of 1.5 GB": b"\x80\x02cbuiltins\nbytearray\nJ" + struct.pack("<i", 1_500_000_000) + b"\x85R.",
    "memo at 2 billion": b"\x80\x02}r\xff\xff\xff\x7fX\x01\x00\x00\x00aNs.",
    "long text": b"\x80\x02X\xff\xff\xff\x5f.",
    "nested tuple as a key": b"\x80\x02})" + b"\x85" * 150_000 + b"Ns.",
    "nested lists": b"\x80\x02" + b"](" * 60_000 + b"e" * 60_000 + b".",
    "a million tables": b"\x80\x02(" + b"}" * 3_000_000 + b"l.",
    "marks without end": b"\x80\x02" + b"(" * 3_000_000,
    "a list that holds itself": b"\x80\x02]q\x00h\x00a.",
    "a table that holds itself": b"\x80\x02}q\x00X\x0a\x00\x00\x00state_dicth\x00s.",
    "a function": b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.",
    "a long name": b"\x80\x02c" + b"a" * 100_000 + b"\nb\n.",
    "encode into a codec": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00zip\x86R.",
    "torch.Tensor of 4 TB": b"\x80\x02ctorch\nTensor\n" + whole(10**12) + b"\x85R.",
    "a tensor wider than its storage": rebuilt(b"K\x04", whole(10**11) + b"\x85", b"K\x00\x85"),
    "a tensor beyond its storage": rebuilt(b"K\x04", b"K\x04\x85", whole(10**9) + b"\x85"),
    "a negative shape": rebuilt(b"K\x04", whole(-1) + b"\x85", b"K\x01\x85"),
    "a huge storage": rebuilt(whole(10**12), whole(10**12) + b"\x85", b"K\x01\x85"),
    "a shape that is a word": rebuilt(b"K\x04", b"X\x01\x00\x00\x00a\x85", b"K\x01\x85"),
    "nothing": b"\x80\x02.",
    "no end": b"\x80\x02}",
    "a protocol-4 frame": b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",
    "decimal": b"L" + b"9" * 100_000 + b"L\n.",
}
FILES = {f"{name}, {kind}": make(pickle) for name, pickle in HOSTILE.items() for kind, make in (
    ("bare", bytes), ("in a zip", zipped))}  # fmt: skip
FILES |= {
    "compressed": zipped(b"\x80\x02}." + b"\0" * 1_000_000, zipfile.ZIP_DEFLATED),
    "compressed storage": zipped(HOSTILE["a huge storage"], zipfile.ZIP_DEFLATED, **{"data/0": b"\0" * 1_000_000}),
    "storage missing": zipped(rebuilt(b"K\x04", b"K\x04\x85", b"K\x01\x85")),
    "storage short": zipped(rebuilt(b"K\x04", b"K\x04\x85", b"K\x01\x85"), **{"data/0": b"\0" * 15}),
    "big-endian": zipped(b"\x80\x02}.", byteorder=b"big"),
    "names twice": zipped(b"\x80\x02}.", **{"DATA.PKL": b"\x80\x02}."}),
    "two pickles": zipped(b"\x80\x02}.", **{"other/data.pkl": b"\x80\x02}."}),
    "no pickle": zipped(b"", **{"data.pkl": b""}),
    "LZMA": zipped(HOSTILE["nothing"], zipfile.ZIP_LZMA),
    "many disks": zipped(b"\x80\x02}.")[:-22] + b"PK\6\7" + b"\1" * 16 + zipped(b"\x80\x02}.")[-22:],
    "zip without its end": zipped(b"\x80\x02}.")[:-30],
    "zip, cut in the directory": zipped(b"\x80\x02}.")[:-60] + zipped(b"\x80\x02}.")[-22:],
}


@pytest.mark.parametrize("name", FILES)
def test_hostile_checkpoints_end_in_one_short_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(FILES[name])
    for read in (read_tensors,) if name.startswith("storage") else (read_checkpoint, read_tensors):
        with pytest.raises(WorkbenchError) as caught:
            read(path)
        assert len(str(caught.value)) < 600 and "\n" not in str(caught.value)


def _peak_kib(files: list[Path]) -> int:
    """What reading ``files`` in a process of its own adds to the peak of its memory."""
    code = (
        "import resource, sys; from pathlib import Path;"
        "from workbench.engine.cache import read_checkpoint, read_header;"
        "from workbench.engine.errors import WorkbenchError\n"
        "begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for name in sys.argv[1:]:\n"
        "    try: (read_header if name.endswith('.safetensors') else read_checkpoint)(Path(name))\n"
        "    except WorkbenchError: pass\n"
        "print('torch' in sys.modules, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - begin)"
    )
    done = subprocess.run([sys.executable, "-c", code, *map(str, files)], capture_output=True, text=True, check=True)
    torch_too, peak = done.stdout.split()
    assert torch_too == "False"
    return int(peak)


def test_memory_stays_bounded_whatever_a_file_asks_for(tmp_path: Path) -> None:
    files = []
    for number, content in enumerate(FILES.values()):
        files.append(tmp_path / f"{number}.pt")
        files[-1].write_bytes(content)
    for number, raw in enumerate(HEADERS.values()):
        files.append(tmp_path / f"{number}.safetensors")
        files[-1].write_bytes(raw)
    assert _peak_kib(files) < 300_000


# Formats that people have ------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump({"model": {"backbone": "DiT", "arch": TINY_ARCH, "mel_spec": {}}}))
    return path


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("layer", ["", "ema_model_state_dict", "model_state_dict", "state_dict"])
def test_every_layout_that_imports_also_loads(
    tiny_folder: Path, tmp_path: Path, config: Path, layer: str, new: bool
) -> None:
    state = load_file(tiny_folder / "model_random.safetensors")
    if layer == "model_state_dict":  # the trainer's own weights have the names without "ema_model."
        state = {name.removeprefix("ema_model."): value for name, value in state.items()}
    theirs = Path(shutil.copytree(tiny_folder, tmp_path / "theirs"))
    (theirs / "model_random.safetensors").unlink()
    (theirs / "model.pt").write_bytes(saved({layer: state, "update": 9} if layer else state, new=new))
    loaded = load(import_model(theirs, config=config).spec, LoadSettings(device="cpu", dtype="fp32"))
    for name, value in loaded.cfm.state_dict().items():
        assert torch.equal(value, state[name if layer == "model_state_dict" else f"ema_model.{name}"])


@pytest.mark.parametrize("new", [True, False])
def test_tensors_are_those_of_torch(tmp_path: Path, new: bool) -> None:
    base = torch.arange(24, dtype=torch.float32)
    content = {
        "whole": base,
        "part": base[4:10],
        "turned": base.reshape(4, 6).T,
        "step": base[::2],
        "empty": torch.empty(0, 3),
        "scalar": torch.tensor(3.0),
        "half": base.half(),
        "bf16": base.bfloat16(),
        "double": base.double(),
        "long": base.long(),
        "flag": base > 3,
        "parameter": torch.nn.Parameter(base[:3]),
    }
    path = tmp_path / "model.pt"
    path.write_bytes(saved({"state_dict": content, "lr": 0.1, "notes": ["a", (1, None, True)]}, new=new))
    found = {name.removeprefix("state_dict/"): value for name, value in read_tensors(path).items()}
    assert found.keys() == content.keys()
    for name, value in content.items():
        assert found[name].dtype == value.dtype and torch.equal(found[name], value.detach()), name


def test_a_training_checkpoint_with_optimizer_and_scheduler_is_read(tmp_path: Path) -> None:
    model = torch.nn.Linear(3, 4)
    optimizer = torch.optim.AdamW(model.parameters())
    parts = [torch.optim.lr_scheduler.LinearLR(optimizer) for _ in range(2)]
    scheduler = torch.optim.lr_scheduler.SequentialLR(optimizer, parts, milestones=[3])
    model(torch.ones(3)).sum().backward()
    optimizer.step()
    scheduler.step()
    path = tmp_path / "model_last.pt"
    content = {
        "model_state_dict": model.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
        "scheduler_state_dict": scheduler.state_dict(),
        "ema_model_state_dict": {"initted": torch.tensor(True), "step": torch.tensor(3), **model.state_dict()},
        "update": 3,
    }
    path.write_bytes(saved(content))
    found = read_checkpoint(path)
    assert found.has_optimizer and found.counters == {"update": 3, "ema_model_state_dict/step": 3}
    averaged = {name for name in read_tensors(path) if name.startswith("ema_model_state_dict/")}
    assert {name.rpartition("/")[2] for name in averaged} == {"initted", "step", "weight", "bias"}


def test_a_flipped_bit_in_the_weights_of_a_checkpoint_is_noticed(tmp_path: Path) -> None:
    raw = bytearray(saved({"state_dict": {"w": torch.ones(10_000)}}))
    raw[raw.index(struct.pack("<f", 1.0) * 100) + 2_001] ^= 4
    (tmp_path / "model.pt").write_bytes(raw)
    with pytest.raises(WeightsError, match="damaged"):
        read_tensors(tmp_path / "model.pt")


def test_weights_that_are_whole_numbers_are_refused(tiny_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "whole"))
    state = load_file(folder / "model_random.safetensors")
    state = {name: value.to(torch.uint8) for name, value in state.items()}
    save_file(state, folder / "model_random.safetensors")
    with pytest.raises(WeightsError, match=r"torch\.uint8, not floating-point"):
        load(TINY_SPEC, LoadSettings(device="cpu"), folder=folder)


# Headers ------------------------------------------------------------


def headed(raw: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(raw)) + raw + data


def entry(**changes: Any) -> bytes:
    table = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} | changes
    return headed(json.dumps({"w": table}).encode(), b"\0\0\0\0")


HEADERS = {
    "shape of 1e999": headed(b'{"w": {"dtype": "F32", "shape": [1e999], "data_offsets": [0, 4]}}', b"\0" * 4),
    "nested 200,000 deep": headed(b"[" * 200_000 + b"]" * 200_000),
    "nested tables": headed(b'{"a":' * 200_000),
    "length of 2**63": struct.pack("<Q", 2**63) + b"{}",
    "length of 90 MB": struct.pack("<Q", 90_000_000) + b"{" * 100,
    "a list": headed(b"[]"),
    "a number": headed(b"12"),
    "not UTF-8": headed(b"\xff\xfe\xfd"),
    "offsets of 1e999": headed(b'{"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 1e999]}}', b"\0" * 4),
    "NaN": headed(b'{"w": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 4]}}', b"\0" * 4),
    "9,000 digits": headed(b'{"w": {"dtype": "F32", "shape": [' + b"9" * 9_000 + b'], "data_offsets": [0, 4]}}'),
    "many huge lengths": entry(shape=[10**4000] * 200),
    "many axes": entry(shape=[1] * 100_000),
    "a shape that is a word": entry(shape="1"),
    "a flag as length": entry(shape=[True]),
    "a type that is a table": entry(dtype={}),
    "an unknown type": entry(dtype="F33"),
    "before the start": entry(data_offsets=[-4, 0]),
    "a gap": entry(data_offsets=[4, 8]),
    "metadata that is a list": headed(b'{"__metadata__": [1]}'),
    "a million small tables": headed(b"{" + b",".join(b'"%d":{}' % n for n in range(300_000)) + b"}"),
    "a name of a million": headed(b'{"' + b"n" * 1_000_000 + b'": 1}'),
}  # fmt: skip


@pytest.mark.parametrize("name", HEADERS)
def test_hostile_headers_end_in_one_short_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(HEADERS[name])
    for read in (read_header, read_tensors):
        with pytest.raises(WeightsError) as caught:
            read(path)
        assert len(str(caught.value)) < 600 and "\n" not in str(caught.value)


def test_a_pipe_a_device_and_a_folder_are_no_weights(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.safetensors")
    os.mkfifo(tmp_path / "pipe.pt")
    (tmp_path / "folder.pt").mkdir()
    (tmp_path / "loop.pt").symlink_to("loop.pt")
    for path in [*tmp_path.iterdir(), Path("/dev/zero")]:
        with pytest.raises(WeightsError):
            read_tensors(path)


# Random damage ------------------------------------------------------------


def damaged(raw: bytes, chance: random.Random) -> bytes:
    """``raw`` with some bytes changed, cut out, repeated or put in."""
    content = bytearray(raw)
    for _ in range(chance.choice((1, 1, 2, 8))):
        at = chance.randrange(len(content) or 1)
        kind = chance.randrange(4)
        if kind == 0 and content:
            content[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del content[at : at + chance.randrange(1, 40)]
        elif kind == 2:
            content[at:at] = content[at : at + chance.randrange(1, 40)]
        else:
            content[at:at] = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 9)))
    return bytes(content)


def test_random_damage_never_leaves_a_traceback(tiny_folder: Path, tmp_path: Path) -> None:
    chance = random.Random(14)
    state = {"state_dict": {f"layer.{n}": torch.ones(2, 3) for n in range(3)}, "optimizer_state_dict": {"lr": 0.1}}
    save_file(state["state_dict"], tmp_path / "small.safetensors")
    sources = {
        "a.pt": saved(state),
        "b.pt": saved(state, new=False),
        "c.safetensors": (tmp_path / "small.safetensors").read_bytes(),
    }
    refused = 0
    for turn in range(600):
        name = chance.choice(list(sources))
        path = tmp_path / name
        path.write_bytes(damaged(sources[name], chance))
        try:
            read_tensors(path)
        except WorkbenchError as error:
            refused += 1
            assert "\n" not in str(error) and len(str(error)) < 600, turn
    assert refused > 300
