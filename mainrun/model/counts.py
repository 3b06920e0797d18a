"""Parameters and floating-point operations of the model: pure arithmetic, without torch."""

from math import prod

from mainrun.model.settings import ModelSettings


def compute_num_parameters(model: ModelSettings, vocab_size: int) -> int:
    """Trainable parameters, the tied embedding counted once."""
    return sum(map(prod, list_shapes(model, vocab_size).values()))


def list_shapes(model: ModelSettings, vocab_size: int) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter by its name in the model, in the model's order."""
    width = model.d_model
    shapes: dict[str, tuple[int, ...]] = {
        "token_embedding.weight": (vocab_size, width),
        "position_embedding.weight": (model.block_size, width),
    }
    linears = {"attn.qkv": (3 * width, width), "attn.proj": (width, width), "mlp.fc": (4 * width, width),
               "mlp.proj": (width, 4 * width)}  # fmt: skip
    for layer in range(model.n_layer):
        for norm, branch in (("ln_1", "attn"), ("ln_2", "mlp")):
            shapes |= _list_norm(f"blocks.{layer}.{norm}", width)
            for name, shape in linears.items():
                if name.startswith(f"{branch}."):
                    shapes[f"blocks.{layer}.{name}.weight"] = shape
                    shapes[f"blocks.{layer}.{name}.bias"] = shape[:1]
    return shapes | _list_norm("ln_f", width)


def compute_token_flops(model: ModelSettings, vocab_size: int) -> int:
    """FLOPs of training on one token: 6 for every weight in a matrix product, plus the causal half of attention.

    The convention of Kaplan et al. 2020 (arXiv:2001.08361), backward counted as twice the forward; normalization,
    dropout and all else that goes element by element are left out.
    """
    in_blocks = {name: shape for name, shape in list_shapes(model, vocab_size).items() if name.startswith("blocks.")}
    products = sum(prod(shape) for shape in in_blocks.values() if len(shape) == 2) + vocab_size * model.d_model
    attention = model.n_layer * model.d_model * model.block_size
    return 6 * (products + attention)


def _list_norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}
