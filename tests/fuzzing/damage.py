"""Ways to damage good files: bytes, fields of JSON and YAML, unexpected values."""

from __future__ import annotations

import copy
import json
import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from hypothesis import strategies as st

from tests.fuzzing.drawing import Source

_DEEP = 100_000
JUNK = (
    b"",
    b"\0" * 64,
    b"\xff" * 64,
    b"not what you think",
    b"<!doctype html><html><body>404</body></html>",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
    b"PK\x03\x04 cut",
    b"\x80\x02}q\x00.",
    "Größe\n".encode("latin-1"),
    b"\xef\xbb\xbf\xff\xfe",
)
_INTEGERS = (0, 1, 2, 127, 255, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**31 + 1, 2**40, 2**63 - 1, 2**64 - 1)

# literal JSON, for what no Python value would write
JSON_VALUES = (
    *("null", "true", "0", "-1", "1.5", "1e999", "-1e999", "NaN", "-Infinity", "1e308", "-9223372036854775809"),
    *(
        "18446744073709551616",
        "9" * 400,
        "9" * 5000,
        '""',
        '"x"',
        '"\\ud800"',
        '"\\u0000"',
        '"../../x"',
        '"[/b] \\\\[x"',
    ),
    *('"<img src=x onerror=alert(1)>"', '"2026-01-01"', '"\\u001b[2Jgone"', "[]", "{}", "[[]]", "[null]", '{"a": 1}'),
    *("[1, 2, 3]", '[{"a": []}]', "[" * _DEEP + "]" * _DEEP, '{"a":' * _DEEP + "1" + "}" * _DEEP, f'"{"x" * 10**6}"'),
)
# literal YAML: types, tags and aliases that plain JSON does not have
_LAUGHS = "[&a [x,x,x,x,x,x,x,x], " + ", ".join(
    f"&{b} [{','.join(['*' + a] * 8)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
YAML_VALUES = (
    *("~", "true", "0", "-1", "1.5", ".inf", "-.inf", ".nan", "1e9", "1000000000", "9" * 400, "''", "abc", "24000.0"),
    *("[]", "{}", "[1, [2]]", "{a: {b: 1}}", "2026-01-01", "1:30", "0x7fffffff", "!!binary aGVsbG8=", "!!set {a, b}"),
    *("!!python/object/apply:os.system ['touch PWNED']", "!!python/name:os.system", "!unknown x", "&x [*x]"),
    *("[" * 5000 + "]" * 5000, "{a: " * 2000 + "1" + "}" * 2000, _LAUGHS + "]", f"'{'x' * 10**6}'", "'\\e[2J'"),
)
_HOLE = "@@hole@@"


def in_bytes(random: Random, raw: bytes) -> bytes:
    """``raw`` with one to three damages; most of them near the start, where headers are."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        raw = random.choice(_BYTE_DAMAGES)(random, raw)
    return raw


def _position(random: Random, raw: bytes) -> int:
    reach = random.choice((16, 64, 512, len(raw), len(raw), 0))
    if reach == 0:  # near the end
        return max(0, len(raw) - 1 - random.randrange(64))
    return random.randrange(max(1, min(reach, len(raw))))


def _flip(random: Random, raw: bytes) -> bytes:
    changed = bytearray(raw or b"\0")
    for _ in range(random.choice((1, 1, 8))):
        changed[_position(random, changed)] ^= 1 << random.randrange(8)
    return bytes(changed)


def _number(random: Random, raw: bytes) -> bytes:
    """An extreme integer of 2, 4 or 8 bytes in place of what stands there."""
    size = random.choice((2, 4, 4, 8))
    value = random.choice(_INTEGERS) & ((1 << 8 * size) - 1)
    at = _position(random, raw)
    return raw[:at] + value.to_bytes(size, random.choice(("little", "big"))) + raw[at + size :]


def _cut(random: Random, raw: bytes) -> bytes:
    return raw[: _position(random, raw)]


def _remove(random: Random, raw: bytes) -> bytes:
    at = _position(random, raw)
    return raw[:at] + raw[at + random.choice((1, 4, 100, 5000)) :]


def _repeat(random: Random, raw: bytes) -> bytes:
    at, size = _position(random, raw), random.choice((1, 16, 4000))
    return raw[: at + size] + raw[at : at + size] * random.choice((1, 3)) + raw[at + size :]


def _insert(random: Random, raw: bytes) -> bytes:
    at = _position(random, raw)
    return raw[:at] + (random.choice(JUNK) or random.randbytes(16)) + raw[at:]


def _append(random: Random, raw: bytes) -> bytes:
    return raw + (random.choice(JUNK) or raw)


def _replace(random: Random, raw: bytes) -> bytes:
    return random.choice(JUNK) if random.random() < 0.5 else random.randbytes(random.choice((1, 12, 300, 5000)))


_BYTE_DAMAGES: tuple[Callable[[Random, bytes], bytes], ...] = (
    *(_flip, _flip, _number, _number, _cut, _cut, _remove, _repeat, _insert, _append, _replace),
)


def json_value(source: Source) -> str:
    """A JSON value as text: one of the known odd ones, or any that Hypothesis thinks of."""
    if source.random.random() < 0.7:
        return source.random.choice(JSON_VALUES)
    plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40)
    return json.dumps(source.draw(st.recursive(plain, lambda x: st.lists(x) | st.dictionaries(st.text(), x))))


def in_json(source: Source, document: Any) -> bytes:
    """``document`` as JSON with one to three fields that are missing, renamed, doubled, or of another kind."""
    return _in_tree(source, document, lambda tree: json.dumps(tree, ensure_ascii=False), json_value).encode(
        "utf-8", "surrogatepass"
    )


def in_yaml(source: Source, document: Any) -> bytes:
    """``document`` as YAML with one to three damaged fields."""
    import yaml

    return _in_tree(
        source, document, lambda tree: yaml.safe_dump(tree, sort_keys=False), lambda s: s.random.choice(YAML_VALUES)
    ).encode("utf-8", "surrogatepass")


def _in_tree(source: Source, tree: Any, dump: Callable[[Any], str], value: Callable[[Source], str]) -> str:
    tree = copy.deepcopy(tree)
    holes = []
    for _ in range(source.random.choice((1, 1, 1, 2, 3))):
        path = _random_path(source.random, tree)
        action = source.random.choice(("odd", "odd", "odd", "odd", "drop", "rename", "extra", "wrap"))
        source.note(f"{'.'.join(map(str, path)) or 'the whole'}: {action}")
        if action == "odd" or not path:
            hole = f"{_HOLE}{len(holes)}@@"
            holes.append((hole, value(source)))
            source.note(f"{holes[-1][1][:60]}")
            if not path:
                tree = hole
                break
            _put(tree, path, hole)
        else:
            _change(tree, path, action)
    text = dump(tree)
    for hole, literal in holes:
        for quoted in (f'"{hole}"', f"'{hole}'", hole):  # YAML leaves out the quotes where it can
            text = text.replace(quoted, literal)
    return text


def _random_path(random: Random, tree: Any) -> list[Any]:
    """Keys and indices that lead to a part of ``tree``; the top now and then, long lists seldom."""
    path: list[Any] = []
    while isinstance(tree, (dict, list)) and tree and random.random() > (0.03 if not path else 0.15):
        key = random.choice(list(tree)) if isinstance(tree, dict) else random.randrange(len(tree))
        path.append(key)
        tree = tree[key]
    return path


def _parent(tree: Any, path: Sequence[Any]) -> Any:
    for key in path[:-1]:
        tree = tree[key]
    return tree


def _put(tree: Any, path: Sequence[Any], value: Any) -> None:
    _parent(tree, path)[path[-1]] = value


def _change(tree: Any, path: Sequence[Any], action: str) -> None:
    """Drop, rename, double or wrap the part at ``path``."""
    parent, key = _parent(tree, path), path[-1]
    if action == "drop":
        del parent[key]
    elif action == "wrap":
        parent[key] = [parent[key]]
    elif isinstance(parent, dict):
        parent[f"{key}_x"] = parent.pop(key) if action == "rename" else parent[key]
    else:
        parent.append(parent[key])


def safetensors_parts(raw: bytes) -> tuple[Any, bytes]:
    """Header and data of a good safetensors file."""
    length = struct.unpack("<Q", raw[:8])[0]
    return json.loads(raw[8 : 8 + length]), raw[8 + length :]


def safetensors_with(header: bytes, data: bytes) -> bytes:
    """A safetensors file of any header."""
    return struct.pack("<Q", len(header)) + header + data
