"""Parameters and floating-point operations of the model: pure arithmetic, without torch."""

from math import prod

from mainrun.model.settings import ModelSettings


def compute_num_parameters(model: ModelSettings, vocab_size: int) -> int:
    """Trainable parameters, the tied embedding counted once."""
    return sum(map(prod, list_shapes(model, vocab_size).values()))


def list_shapes(model: ModelSettings, vocab_size: int) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter by its name in the model."""
    width = model.d_model
    shapes: dict[str, tuple[int, ...]] = {"token_embedding.weight": (vocab_size, width), "ln_f.weight": (width,)}
    if model.positions == "learned":
        shapes["position_embedding.weight"] = (model.block_size, width)
    if model.biases:
        shapes["ln_f.bias"] = (width,)
    for layer in range(model.n_layer):
        block = {f"{name}.weight": shape for name, shape in list_linears(model).items()}
        block |= {"ln_1.weight": (width,), "ln_2.weight": (width,)}
        if model.biases:
            block |= {name.replace("weight", "bias"): shape[:1] for name, shape in block.items()}
        if model.shifts:
            block |= {"shift_1.weight": (2, width), "shift_2.weight": (2, width)}
        shapes |= {f"blocks.{layer}.{name}": shape for name, shape in block.items()}
    return shapes


def list_linears(model: ModelSettings) -> dict[str, tuple[int, ...]]:
    """Rows and columns of the matrix products of one block, by layer."""
    width, hidden = model.d_model, model.d_hidden
    gate = {"mlp.gate": (hidden, width)} if model.mlp == "swiglu" else {}
    return {
        "attn.qkv": (3 * width, width),
        "attn.proj": (width, width),
        **gate,
        "mlp.fc": (hidden, width),
        "mlp.proj": (width, hidden),
    }


def compute_token_flops(model: ModelSettings, vocab_size: int) -> int:
    """FLOPs of training on one token: 6 for every weight in a matrix product, plus the causal half of attention.

    The convention of Kaplan et al. 2020 (arXiv:2001.08361), backward counted as twice the forward; normalization,
    dropout and all else that goes element by element are left out. Attention within titles is counted as it is
    computed: over the window.
    """
    products = model.n_layer * sum(map(prod, list_linears(model).values())) + vocab_size * model.d_model
    attention = model.n_layer * model.d_model * model.block_size
    return 6 * (products + attention)
