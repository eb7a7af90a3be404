"""A linear layer in three kinds of arithmetic, and the projection onto the vocabulary in the same three.

What decoding costs is, at batch one, bringing every weight to the processor once a token, and in a batch, multiplying.
8 bits make the first four times as short as float32; bfloat16 makes the second so, on processors with a matrix unit.
The modules are in the form that TorchScript compiles.
"""

import warnings
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Form = Literal["float32", "int8", "bfloat16"]
FORMS: tuple[Form, ...] = get_args(Form)
ROWS_AT_ONCE = 256
"""Of a matrix, when it is quantised"""
ALIGNED = 16
"""Columns that torch's product of bfloat16 and int8 reads at once: past the end of a row that is not such a multiple"""


class Float32Linear(nn.Module):
    """x W^T + b, as the model computes it."""

    dtype = torch.float32

    def __init__(self, weight: Tensor, bias: Tensor, relu: bool = False) -> None:
        super().__init__()
        self.weight = weight.float()
        self.bias = bias.float()
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        y = F.linear(x, self.weight, self.bias)
        return y.relu_() if self.relu else y


def quantize_rows(weight: Tensor) -> tuple[Tensor, Tensor]:
    """(N, D) -> int8 (N, D) and the scale of each row (N,), a 127th of the row's largest, which times it is the row"""
    scale = weight.abs().amax(dim=1).float().clamp_min(1e-8) / 127
    rows = torch.empty(weight.shape, dtype=torch.int8)
    # A few rows at a time: a large matrix in float32 is what loading would need most memory for.
    for part in torch.arange(len(weight)).split(ROWS_AT_ONCE):
        rows[part] = (weight[part].float() / scale[part].unsqueeze(1)).round_().to(torch.int8)
    return rows, scale


def pack_rows(rows: Tensor, scale: Tensor, bias: Tensor) -> torch.ScriptObject:
    """What `quantize_rows` made, and a bias (N,), laid out for torch's product of 8 bits"""
    zeros = torch.zeros_like(scale, dtype=torch.long)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that quantised tensors will leave PyTorch for another package
        quantized = torch._make_per_channel_quantized_tensor(rows, scale.double(), zeros, 0)
    return torch.ops.quantized.linear_prepack(quantized, bias.float())


def reduces_range() -> bool:
    """Whether activations have 7 bits: without instructions for it (VNNI), sums of two products of 8 overflow 16."""
    return not torch.cpu._is_vnni_supported()


class Int8Linear(nn.Module):
    """Weights in 8 bits with a scale for each row; activations in 8 bits with one scale for the whole of x.

    A quarter of the bytes of float32, and a step on one sentence is as long as its bytes take to arrive. As the scale
    is shared, a row's result depends a little on the rows beside it.
    """

    dtype = torch.float32

    def __init__(self, weight: Tensor, bias: Tensor, relu: bool = False) -> None:
        super().__init__()
        self.packed = pack_rows(*quantize_rows(weight), bias)
        self.reduce_range = reduces_range()
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        if self.relu:
            return torch.ops.quantized.linear_relu_dynamic(x, self.packed, self.reduce_range)
        return torch.ops.quantized.linear_dynamic(x, self.packed, self.reduce_range)


class BFloat16Linear(nn.Module):
    """Weights and activations in bfloat16; on a CPU the weights are laid out as its matrix unit wants them.

    The fastest for many rows, and each row's result is its own.
    """

    dtype = torch.bfloat16

    def __init__(self, weight: Tensor, bias: Tensor, relu: bool = False) -> None:
        super().__init__()
        self.is_packed = not weight.is_cuda
        self.weight = self.pack(weight.bfloat16())
        self.bias = bias.bfloat16()
        self.relu = "relu" if relu else "none"

    def forward(self, x: Tensor) -> Tensor:
        return self.multiply(x, self.weight, self.bias)

    @torch.jit.unused
    def pack(self, weight: Tensor) -> Tensor:
        return torch.ops.mkldnn._reorder_linear_weight(weight, None) if self.is_packed else weight

    def multiply(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        if self.is_packed:
            return torch.ops.mkldnn._linear_pointwise(x, weight, bias, self.relu, [], "")
        y = F.linear(x, weight, bias)
        return y.relu_() if self.relu == "relu" else y


class Float32Projection(Float32Linear):
    """Hidden states to logits, of all tokens or of those in a `head` made by `select`."""

    def forward(self, x: Tensor, head: tuple[Tensor, Tensor] | None) -> Tensor:
        """(R, D) -> (R, C), float32"""
        return F.linear(x, self.weight, self.bias) if head is None else F.linear(x, head[0], head[1])

    @torch.jit.unused
    def select(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """The rows of these tokens (C,)"""
        return self.weight[tokens], self.bias[tokens]


class Int8Projection(nn.Module):
    """As Float32Projection, in 8 bits. The rows of a few tokens are used as they are, since packing takes longer than
    all the steps of a sentence; then the activations stay in bfloat16."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        rows, scale = quantize_rows(weight)
        self.packed = pack_rows(rows, scale, bias)
        self.reduce_range = reduces_range()
        self.scale = scale.bfloat16()
        self.num_spare = -rows.size(1) % ALIGNED
        self.rows = F.pad(rows, (0, self.num_spare))

    def forward(self, x: Tensor, head: tuple[Tensor, Tensor] | None) -> Tensor:
        if head is None:
            return torch.ops.quantized.linear_dynamic(x, self.packed, self.reduce_range)
        x = x.to(torch.bfloat16)
        if self.num_spare:
            x = F.pad(x, [0, self.num_spare])
        return torch._weight_int8pack_mm(x, head[0], head[1]).float()

    @torch.jit.unused
    def select(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        return self.rows.index_select(0, tokens), self.scale.index_select(0, tokens)


class BFloat16Projection(BFloat16Linear):
    """As Float32Projection, in bfloat16."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__(weight, bias)
        self.rows = weight.bfloat16()

    def forward(self, x: Tensor, head: tuple[Tensor, Tensor] | None) -> Tensor:
        weight, bias = (self.weight, self.bias) if head is None else head
        return self.multiply(x, weight, bias).float()

    @torch.jit.unused
    def select(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        return self.pack(self.rows[tokens]), self.bias[tokens]


Linear = type[Float32Linear] | type[Int8Linear] | type[BFloat16Linear]
LINEAR: dict[Form, Linear] = {"float32": Float32Linear, "int8": Int8Linear, "bfloat16": BFloat16Linear}
PROJECTION: dict[Form, type[nn.Module]] = {
    "float32": Float32Projection,
    "int8": Int8Projection,
    "bfloat16": BFloat16Projection,
}
