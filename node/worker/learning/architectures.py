"""Models by name: the chain spec says which, never a serialized program.

An architecture is a list of layers, described here without TensorFlow, so that foreign weights are checked,
and the initial model is made, by NumPy alone. trainer.py builds the Keras model of the same list.

digits-cnn  for small images: three 3x3 convolutions with batch normalisation, the last one's maximum over
            the picture
paper-cnn   the paper's: three blocks of twice [3x3 convolution, ReLU, batch normalisation] and pooling, with
            32, 64 and 128 channels, dropout 0.5, one dense layer; 309,290 parameters on CIFAR-10
mlp         one hidden layer of 64; for inputs of any shape

Batch normalisation has momentum 0.8 or 0.9, not Keras' 0.99: a round is a few dozen steps, within which
moving statistics of momentum 0.99 hardly move, and honest models would be near chance in the first rounds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from node.learning_task import LearningTask


@dataclass(frozen=True)
class Conv:
    """3x3 convolution, stride 1, padding "same", with bias."""

    filters: int


@dataclass(frozen=True)
class BatchNorm:
    """Batch normalisation over channels; moving = momentum * moving + (1 - momentum) * batch."""

    momentum: float


@dataclass(frozen=True)
class Relu:
    """max(x, 0)."""


@dataclass(frozen=True)
class MaxPool:
    """Maximum of each 2x2 square, stride 2."""


@dataclass(frozen=True)
class GlobalMaxPool:
    """Maximum over the whole picture, by channel."""


@dataclass(frozen=True)
class Flatten:
    """All values in one row."""


@dataclass(frozen=True)
class Dropout:
    """Zeroes this share of the values in training."""

    rate: float


@dataclass(frozen=True)
class Dense:
    """Fully connected, with bias."""

    units: int


Layer = Conv | BatchNorm | Relu | MaxPool | GlobalMaxPool | Flatten | Dropout | Dense
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Tensor:
    """A named tensor of the model. `initial` is a constant, or None for a kernel, which is drawn."""

    name: str
    shape: Shape
    initial: float | None
    trainable: bool = True


@dataclass(frozen=True)
class Architecture:
    """Layers in order; the last one gives the logits. Names of layers are kind and number: conv1, norm1, dense1."""

    input_shape: Shape
    layers: tuple[tuple[str, Layer], ...]
    tensors: tuple[Tensor, ...]

    @property
    def parameters(self) -> int:
        """Numbers in the model, moving statistics included."""
        return sum(prod(tensor.shape) for tensor in self.tensors)


def architecture_of(task: LearningTask) -> Architecture:
    """Return the task's architecture for its input shape and classes."""
    plans: dict[str, Callable[[], list[Layer]]] = {
        "digits-cnn": _digits_cnn,
        "paper-cnn": _paper_cnn,
        "mlp": lambda: [Flatten(), Dense(64), Relu()],
    }
    return _architecture(task.input_shape, [*plans[task.architecture](), Dense(task.classes)])


def _digits_cnn() -> list[Layer]:
    layers: list[Layer] = []
    for filters in (16, 32, 64):
        layers += [Conv(filters), BatchNorm(0.8), Relu(), MaxPool()]
    return [*layers[:-1], GlobalMaxPool()]


def _paper_cnn() -> list[Layer]:
    layers: list[Layer] = []
    for filters in (32, 64, 128):
        for _ in range(2):
            layers += [Conv(filters), Relu(), BatchNorm(0.9)]
        layers.append(MaxPool())
    return [*layers, Flatten(), Dropout(0.5)]


def _architecture(input_shape: Shape, layers: list[Layer]) -> Architecture:
    """Name the layers and find the shapes of their tensors."""
    shape, counts = input_shape, dict.fromkeys(_KINDS, 0)
    named: list[tuple[str, Layer]] = []
    tensors: list[Tensor] = []
    for layer in layers:
        counts[type(layer)] += 1
        name = f"{_KINDS[type(layer)]}{counts[type(layer)]}"
        named.append((name, layer))
        tensors += _tensors(name, layer, shape)
        shape = _output(layer, shape)
    return Architecture(input_shape, tuple(named), tuple(tensors))


_KINDS: dict[type[Layer], str] = {
    Conv: "conv",
    BatchNorm: "norm",
    Relu: "relu",
    MaxPool: "pool",
    GlobalMaxPool: "global_pool",
    Flatten: "flatten",
    Dropout: "dropout",
    Dense: "dense",
}


def _tensors(name: str, layer: Layer, shape: Shape) -> list[Tensor]:
    channels = shape[-1]
    match layer:
        case Conv(filters):
            kernel = (3, 3, channels, filters)
            return [Tensor(f"{name}.kernel", kernel, None), Tensor(f"{name}.bias", (filters,), 0.0)]
        case Dense(units):
            return [
                Tensor(f"{name}.kernel", (channels, units), None),
                Tensor(f"{name}.bias", (units,), 0.0),
            ]
        case BatchNorm():
            return [
                Tensor(f"{name}.gamma", (channels,), 1.0),
                Tensor(f"{name}.beta", (channels,), 0.0),
                Tensor(f"{name}.moving_mean", (channels,), 0.0, trainable=False),
                Tensor(f"{name}.moving_variance", (channels,), 1.0, trainable=False),
            ]
        case _:
            return []


def _output(layer: Layer, shape: Shape) -> Shape:
    match layer:
        case Conv(filters):
            return (*shape[:2], filters)
        case Dense(units):
            return (units,)
        case MaxPool():
            return (shape[0] // 2, shape[1] // 2, shape[2])
        case GlobalMaxPool():
            return (shape[2],)
        case Flatten():
            return (prod(shape),)
        case _:
            return shape
