"""Configurations of the first schema, which were flat, under today's dotted keys."""

from collections.abc import Mapping
from typing import Any

from mainrun.config import join_keys

_AS_IT_WAS: dict[str, Any] = {
    "data.tokenizer": "bpe",
    "model.dropout_embedding": None,
    "model.dropout_attention": None,
    "model.positions": "learned",
    "model.attention": "window",
    "model.mlp": "gelu",
    "model.biases": True,
    "model.residual_init": "plain",
    "model.shifts": False,
    "training.order": "fixed",
    "training.rdrop": 0.0,
}
"""What has become a setting since."""

_READ_BY_ALL = {
    "data": ("num_titles", "vocab_size", "val_fraction"),
    "model": ("n_layer", "n_head", "d_model", "block_size", "dropout"),
}
_READ_BY_OPTIMIZER = {
    "sgd": {"learning_rate": "learning_rate", "momentum": "momentum", "weight_decay": "weight_decay"},
    "adamw": {"learning_rate": "learning_rate", "beta1": "adam_beta1", "beta2": "adam_beta2", "eps": "adam_eps",
              "weight_decay": "weight_decay"},
}  # fmt: skip
_READ_LATER = {
    "schedule": {"name": "schedule", "warmup_fraction": "warmup_fraction"},
    "training": {name: name for name in ("batch_size", "epochs", "grad_clip", "evals_per_epoch")},
}


def upgrade_config(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The dotted form of a flat configuration, without what its optimizer did not read; `KeyError` for damage.

    An empty one, that of a program of someone else's, stays empty.
    """
    if not flat:
        return {}
    names = {
        **{section: {name: name for name in own} for section, own in _READ_BY_ALL.items()},
        "optimizer": {"name": "optimizer", **_READ_BY_OPTIMIZER[flat["optimizer"]]},
        **_READ_LATER,
    }
    upgraded = {f"{section}.{name}": flat[old] for section, own in names.items() for name, old in own.items()}
    upgraded |= _AS_IT_WAS
    return {key: upgraded[key] for key in join_keys([upgraded])}
