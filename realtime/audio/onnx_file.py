"""Just enough of ONNX's file format to take a model's weights and to put a small graph together.

A file is a message of Protocol Buffers; the numbers are those of its fields in `onnx.proto`. The package
onnx does all of it, and nothing else here needs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

_FLOAT = 1
_TYPES = {np.dtype(np.float32): _FLOAT, np.dtype(np.int16): 5, np.dtype(np.int64): 7}
_IR_VERSION, _OPSET = 8, 15


def read_weights(model: bytes) -> dict[str, np.ndarray]:
    """The float32 tensors that a model's graph begins with, by name."""
    (graph,) = (value for field, value in _fields(model) if field == 7)
    weights = {}
    for field, tensor in _fields(graph):
        if field != 5:
            continue
        parts = list(_fields(tensor))
        found = dict(parts)
        if found[2] == _FLOAT and 9 in found:
            shape = [value for number, value in parts if number == 1]
            weights[found[8].decode()] = np.frombuffer(found[9], "<f4").reshape(shape)
    return weights


class Graph:
    """A graph being put together. Every value has a name; `add` and `constant` make those up."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._named = 0

    def constant(self, value: np.ndarray) -> str:
        """A tensor, float32 or of whole numbers, that is part of the model."""
        name = self._name()
        shape = b"".join(_number(1, size) for size in value.shape)
        data = np.ascontiguousarray(value).tobytes()
        kind = _number(2, _TYPES[value.dtype])
        self._parts.append(_bytes(5, shape + kind + _bytes(8, name.encode()) + _bytes(9, data)))
        return name

    def add(self, operator: str, *inputs: str, outputs: int = 1, **attributes: int | str) -> tuple[str, ...]:
        """An operator of ONNX with attributes that are whole numbers or strings. An input with an empty name
        is left out. Returns the names of what it makes."""
        names = tuple(self._name() for _ in range(outputs))
        self._node(operator, inputs, names, attributes)
        return names

    def numbers(self, *values: int) -> str:
        """A constant of whole numbers: positions, sizes."""
        return self.constant(np.array(values, np.int64))

    def reshape(self, value: str, columns: int) -> str:
        """As many rows as there are then: [-1, columns]."""
        return self.add("Reshape", value, self.numbers(-1, columns))[0]

    def windows(self, value: str, size: int, step: int, count: int) -> str:
        """Windows of each row, which may overlap, one below the other: [rows * count, size]."""
        begins = range(0, count * step, step)
        slices = [self.add("Slice", value, *map(self.numbers, (at, at + size, 1)))[0] for at in begins]
        return self.reshape(self.add("Concat", *slices, axis=1)[0], size)

    def input(self, name: str, shape: Sequence[int | str], kind: type[np.generic] = np.float32) -> None:
        """The model is given a tensor; sizes that differ from call to call have names."""
        self._parts.append(_bytes(11, _value(name, shape, _TYPES[np.dtype(kind)])))

    def output(self, value: str, name: str) -> None:
        """A value is the model's, float32, under this name."""
        self._node("Identity", (value,), (name,), {})
        self._parts.append(_bytes(12, _value(name, None, _FLOAT)))

    def model(self) -> bytes:
        """The whole as a file."""
        graph = _bytes(2, b"graph") + b"".join(self._parts)
        return _number(1, _IR_VERSION) + _bytes(7, graph) + _bytes(8, _number(2, _OPSET))

    def _name(self) -> str:
        self._named += 1
        return f"value_{self._named}"

    def _node(
        self, operator: str, inputs: Sequence[str], outputs: Sequence[str], attributes: dict[str, int | str]
    ) -> None:
        names = [_bytes(1, name.encode()) for name in inputs] + [_bytes(2, name.encode()) for name in outputs]
        given = [_bytes(5, _attribute(*attribute)) for attribute in attributes.items()]
        self._parts.append(_bytes(1, b"".join([*names, _bytes(4, operator.encode()), *given])))


def _attribute(name: str, value: int | str) -> bytes:
    whole, text = 2, 3
    if isinstance(value, int):
        return _bytes(1, name.encode()) + _number(3, value) + _number(20, whole)
    return _bytes(1, name.encode()) + _bytes(4, value.encode()) + _number(20, text)


def _value(name: str, shape: Sequence[int | str] | None, element: int) -> bytes:
    kind = _number(1, element)
    if shape is not None:
        sizes = [_number(1, one) if isinstance(one, int) else _bytes(2, one.encode()) for one in shape]
        kind += _bytes(2, b"".join(_bytes(1, size) for size in sizes))
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, kind))


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The number of each field, and its value: a whole number or bytes, as the field has it."""
    at = 0
    while at < len(message):
        key, at = _read(message, at)
        value: Any
        if key & 7 == 0:
            value, at = _read(message, at)
        else:
            size = {1: 8, 5: 4}.get(key & 7)
            if size is None:
                size, at = _read(message, at)
            value, at = message[at : at + size], at + size
        yield key >> 3, value


def _read(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))
