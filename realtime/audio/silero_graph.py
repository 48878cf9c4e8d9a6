"""Silero's graph written anew for batches: the same weights, each convolution one product of matrices.

The graph that its package ships convolves every stream of a batch by itself, over four frames or fewer. One
product over the frames of all streams takes a core a third of that time.
"""

from __future__ import annotations

import numpy as np

from realtime.audio.onnx_file import Graph, read_weights

_CONTEXT, _WINDOW = 64, 512
_FRAME, _HOP = 256, 128
_FRAMES = 4
_BINS = 129
"""Of a frame's spectrum."""
_STATE = 128


def batched(model: bytes) -> bytes:
    """The shipped model (`silero_vad_16k_op15.onnx`) to one that computes the same.

    Inputs are `sound`, float32 [streams, 576], and `state`, [2, streams, 128]; outputs are `probability`
    [streams, 1] and `next_state` [2, streams, 128].
    """
    weights = read_weights(model)
    graph = Graph()
    graph.input("sound", ("streams", _CONTEXT + _WINDOW))
    graph.input("state", (2, "streams", _STATE))
    build = _Layers(graph, weights)
    x = build.spectrum("sound")
    x = build.convolution(x, 0, _BINS, frames=_FRAMES, stride=1)
    x = build.convolution(x, 1, 128, frames=_FRAMES, stride=2)
    x = build.convolution(x, 2, 64, frames=2, stride=2)
    x = build.convolution(x, 3, 64, frames=1, stride=1)
    hidden, cell = build.lstm(x, "state")
    (state,) = graph.add("Concat", hidden, cell, axis=0)
    graph.output(state, "next_state")
    graph.output(build.probability(hidden), "probability")
    return graph.model()


class _Layers:
    """Frames of a stream lie side by side in its row: [streams, frames * channels]."""

    def __init__(self, graph: Graph, weights: dict[str, np.ndarray]) -> None:
        self._graph, self._weights = graph, weights

    def spectrum(self, sound: str) -> str:
        """Magnitudes [streams, 4 * 129] of 4 frames; past its end sound is mirrored."""
        padded = self._one("Pad", sound, self._graph.numbers(0, 0, 0, _CONTEXT), mode="reflect")
        frames = self._graph.windows(padded, _FRAME, _HOP, _FRAMES)
        basis = self._weights["model.stft.forward_basis_buffer"][:, 0].T
        parts = [self._product(frames, half) for half in (basis[:, :_BINS], basis[:, _BINS:])]
        power = self._one("Add", *(self._one("Mul", part, part) for part in parts))
        return self._graph.reshape(self._one("Sqrt", power), _FRAMES * _BINS)

    def convolution(self, x: str, layer: int, channels: int, *, frames: int, stride: int) -> str:
        """Three frames wide, silence on either side, then what is above zero."""
        name = f"model.encoder.{layer}.reparam_conv"
        # [out, in, 3] to [3 * in, out], as the frames lie.
        weight = self._weights[f"{name}.weight"].transpose(2, 1, 0).reshape(3 * channels, -1)
        if frames == 1:
            weight = weight[channels : 2 * channels]
        elif frames == stride:
            weight = weight[channels:]
        else:
            x = self._one("Pad", x, self._graph.numbers(0, channels, 0, channels))
            x = self._graph.windows(x, 3 * channels, stride * channels, frames // stride)
        x = self._product(x, weight)
        x = self._one("Add", x, self._graph.constant(self._weights[f"{name}.bias"]))
        return self._graph.reshape(self._one("Relu", x), -(-frames // stride) * weight.shape[1])

    def lstm(self, x: str, state: str) -> tuple[str, str]:
        """One step. Returns hidden and cell state, each [1, streams, 128]."""
        hidden, cell = self._graph.add("Split", state, self._graph.numbers(1, 1), outputs=2, axis=0)
        steps = self._one("Unsqueeze", x, self._graph.numbers(0))
        given = [self._graph.constant(self._gates(f"weight_{which}")[None]) for which in ("ih", "hh")]
        bias = np.concatenate([self._gates(f"bias_{which}") for which in ("ih", "hh")])
        given.append(self._graph.constant(bias[None]))
        _, hidden, cell = self._graph.add(
            "LSTM", steps, *given, "", hidden, cell, outputs=3, hidden_size=_STATE
        )
        return hidden, cell

    def probability(self, hidden: str) -> str:
        """[streams, 1]."""
        x = self._graph.reshape(self._one("Relu", hidden), _STATE)
        x = self._product(x, self._weights["model.decoder.decoder.2.weight"][0])
        x = self._one("Add", x, self._graph.constant(self._weights["model.decoder.decoder.2.bias"]))
        return self._one("Sigmoid", x)

    def _gates(self, name: str) -> np.ndarray:
        """From torch's order (input, forget, cell, output) to ONNX's (input, output, forget, cell)."""
        gates = np.split(self._weights[f"model.decoder.rnn.{name}"], 4)
        return np.concatenate([gates[which] for which in (0, 3, 1, 2)])

    def _product(self, x: str, weight: np.ndarray) -> str:
        return self._one("MatMul", x, self._graph.constant(weight.astype(np.float32)))

    def _one(self, operator: str, *inputs: str, **attributes: int | str) -> str:
        return self._graph.add(operator, *inputs, outputs=1, **attributes)[0]
