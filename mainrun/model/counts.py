"""Parameters and floating-point operations of the model: pure arithmetic, without torch."""

from mainrun.model.settings import ModelSettings


def compute_num_parameters(model: ModelSettings, vocab_size: int) -> int:
    """Trainable parameters, the tied embedding counted once."""
    width = model.d_model
    attention = (3 * width * width + 3 * width) + (width * width + width)
    mlp = (4 * width * width + 4 * width) + (4 * width * width + width)
    layer_norm = 2 * width
    block = attention + mlp + 2 * layer_norm
    return (vocab_size + model.block_size) * width + model.n_layer * block + layer_norm


def compute_token_flops(model: ModelSettings, vocab_size: int) -> int:
    """FLOPs of training on one token: 6 for every weight in a matrix product, plus the causal half of attention.

    The convention of Kaplan et al. 2020 (arXiv:2001.08361), backward counted as twice the forward; normalization,
    dropout and the optimizer are left out.
    """
    products = 12 * model.n_layer * model.d_model**2 + vocab_size * model.d_model
    attention = model.n_layer * model.d_model * model.block_size
    return 6 * (products + attention)
