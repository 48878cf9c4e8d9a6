"""ONNX files: run by onnxruntime, their weights taken out, and small graphs put together as others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

_IR_VERSION, _OPSET = 8, 15
"""Old enough for every onnxruntime that this package takes."""


def open_session(model: bytes | Path) -> Any:
    """A model to run, in the thread that asks: many sessions share a core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    given = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])


def read_weights(model: bytes) -> dict[str, np.ndarray]:
    """The float32 tensors that a model's graph begins with, by name."""
    tensors = onnx.load_model_from_string(model).graph.initializer
    floats = (tensor for tensor in tensors if tensor.data_type == onnx.TensorProto.FLOAT)
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in floats}


class Graph:
    """A graph being put together. Every value has a name; `add` and `constant` make those up."""

    def __init__(self) -> None:
        self._graph = onnx.GraphProto(name="graph")
        self._named = 0

    def constant(self, value: np.ndarray) -> str:
        """A tensor that is part of the model."""
        name = self._name()
        self._graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> tuple[str, ...]:
        """An operator of ONNX. An input with an empty name is left out. Returns the names of what it
        makes."""
        names = tuple(self._name() for _ in range(outputs))
        self._graph.node.append(helper.make_node(operator, inputs, names, **attributes))
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
        element = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        self._graph.input.append(helper.make_tensor_value_info(name, element, list(shape)))

    def output(self, value: str, name: str) -> None:
        """A value is the model's, float32, under this name."""
        self._graph.node.append(helper.make_node("Identity", [value], [name]))
        self._graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))

    def model(self) -> bytes:
        """The whole as a file."""
        opset = helper.make_opsetid("", _OPSET)
        whole = helper.make_model(self._graph, ir_version=_IR_VERSION, opset_imports=[opset])
        return bytes(whole.SerializeToString())

    def _name(self) -> str:
        self._named += 1
        return f"value_{self._named}"
