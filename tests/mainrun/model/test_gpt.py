import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mainrun.model.gpt import GPT
from mainrun.model.initialization import init_weights
from mainrun.recipes import build_named_config
from tests.mainrun.tiny_models import VOCAB, build_model, draw_ids

CONFIG = build_named_config(
    "baseline", "quick", {"n_layer": "2", "n_head": "2", "d_model": "16", "block_size": "8", "batch_size": "4"}
).model


def build_fresh(seed: int = 1337, vocab_size: int = 500) -> GPT:
    model = GPT(CONFIG, vocab_size)
    init_weights(model, seed)
    return model


def plain_norm(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + 1e-5) * norm.weight + norm.bias


def plain_linear(x: Tensor, linear: nn.Linear) -> Tensor:
    return torch.einsum("...i,oi->...o", x, linear.weight) + linear.bias


def plain_attention(x: Tensor, attention: nn.Module, n_head: int) -> Tensor:
    """One head after the other, one explicit mask."""
    assert isinstance(attention.qkv, nn.Linear)
    assert isinstance(attention.proj, nn.Linear)
    T, D = x.shape[-2:]  # noqa: N806  # the field's own letters
    q, k, v = torch.chunk(plain_linear(x, attention.qkv), 3, dim=-1)
    width = D // n_head
    heads = []
    for head in range(n_head):
        part = slice(head * width, (head + 1) * width)
        scores = q[..., part] @ k[..., part].transpose(-1, -2) / math.sqrt(width)
        later = torch.arange(T)[None, :] > torch.arange(T)[:, None]
        scores = scores.masked_fill(later, -math.inf)
        heads.append(torch.exp(scores - torch.logsumexp(scores, -1, keepdim=True)) @ v[..., part])
    return plain_linear(torch.cat(heads, -1), attention.proj)


def plain_logits(model: GPT, ids: Tensor, n_head: int) -> Tensor:
    """The model as it is described: pre-LayerNorm blocks, exact GELU, learned positions, tied head without bias."""
    assert model.position_embedding is not None
    x = model.token_embedding.weight[ids] + model.position_embedding.weight[torch.arange(ids.shape[1])]
    for block in model.blocks:
        x = x + plain_attention(plain_norm(x, block.ln_1), block.attn, n_head)  # type: ignore[arg-type]  # a ModuleList does not know its blocks' type
        hidden = plain_linear(plain_norm(x, block.ln_2), block.mlp.fc)  # type: ignore[arg-type, union-attr]  # as above
        x = x + plain_linear(0.5 * hidden * (1 + torch.erf(hidden / math.sqrt(2))), block.mlp.proj)  # type: ignore[arg-type, union-attr]  # as above
    return plain_norm(x, model.ln_f) @ model.token_embedding.weight.T


@pytest.mark.parametrize("length", [1, 5, 8])
def test_it_equals_its_description_computed_plainly(length: int) -> None:
    model = build_model(8).double().eval()
    ids = draw_ids(3 * length).view(3, length)
    torch.testing.assert_close(model(ids), plain_logits(model, ids, n_head=2), rtol=1e-10, atol=1e-10)


def test_the_training_loss_is_the_summed_cross_entropy_of_the_logits() -> None:
    model = build_model(8).double().eval()
    ids, targets = draw_ids(24).view(3, 8), draw_ids(24, seed=1).view(3, 8)
    expected = F.cross_entropy(model(ids).flatten(0, 1), targets.flatten(), reduction="sum")
    torch.testing.assert_close(model.compute_loss(ids, targets), expected)


def test_a_later_id_changes_no_earlier_logits() -> None:
    model = build_model(8).eval()
    ids = draw_ids(8).view(1, 8)
    before = model(ids)
    for place in range(8):
        changed = ids.clone()
        changed[0, place] = (ids[0, place] + 1) % VOCAB
        after = model(changed)
        torch.testing.assert_close(after[:, :place], before[:, :place], rtol=1e-6, atol=1e-6)
        assert not torch.allclose(after[:, place:], before[:, place:], atol=1e-3)


def test_the_windows_of_a_batch_do_not_see_each_other() -> None:
    model = build_model(8).eval()
    ids = draw_ids(24).view(3, 8)
    together, alone = model(ids), torch.cat([model(window[None]) for window in ids])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_the_loss_at_the_start_is_near_the_log_of_the_vocabulary() -> None:
    model = build_fresh(vocab_size=2000).eval()
    ids = torch.randint(2000, (16, 8), generator=torch.Generator().manual_seed(0))
    loss_nats_per_token = model.compute_loss(ids, ids.roll(1, 0)).item() / ids.numel()
    assert loss_nats_per_token == pytest.approx(math.log(2000), abs=0.05)


def test_it_overfits_one_batch() -> None:
    model = GPT(replace(CONFIG, dropout=0.0), 30)
    init_weights(model, 1)
    ids = torch.randint(30, (4, 9), generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(200):
        optimizer.zero_grad()
        loss = model.compute_loss(ids[:, :-1], ids[:, 1:]) / 32
        loss.backward()  # type: ignore[no-untyped-call]  # torch does not type backward
        optimizer.step()
    assert loss.item() < 0.1


def test_dropout_acts_in_training_only() -> None:
    model, ids = build_model(8, dropout=0.5), draw_ids(8).view(1, 8)
    assert not torch.equal(model.train()(ids), model(ids))
    assert torch.equal(model.eval()(ids), model(ids))


@pytest.mark.parametrize(
    ("zeroed", "what"),
    [
        (("token_embedding", "position_embedding", "mlp.proj"), "the attention branch"),
        (("token_embedding", "position_embedding", "attn.proj"), "the feed-forward branch"),
        (("attn.proj", "mlp.proj"), "the embedding sum"),
    ],
)
def test_dropout_acts_on(zeroed: tuple[str, ...], what: str) -> None:
    model = build_model(8, dropout=0.5).train()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if any(part in name for part in zeroed):
                parameter.zero_()
    share_of_zeros = (capture_before_norm(model, draw_ids(8 * 200).view(200, 8)) == 0).float().mean().item()
    assert share_of_zeros == pytest.approx(0.25 if len(zeroed) == 3 else 0.5, abs=0.03), what


def capture_before_norm(model: GPT, ids: Tensor) -> Tensor:
    """The residual stream that the final LayerNorm receives."""
    captured: list[Tensor] = []
    handle = model.ln_f.register_forward_pre_hook(lambda module, given: captured.append(given[0].detach()))
    model(ids)
    handle.remove()
    return captured[0]


def test_dropout_acts_on_the_attention_weights() -> None:
    model = build_model(8, dropout=0.5).train()
    attention, x = model.blocks[0].attn, torch.randn(1, 8, 8)
    assert callable(attention)
    assert not torch.equal(attention(x), attention(x))
    attention.eval()
    assert torch.equal(attention(x), attention(x))


def test_weights_start_normal_biases_and_positions_zero_and_layer_norms_one() -> None:
    model = build_fresh()
    for name, parameter in model.named_parameters():
        if name.endswith("bias") or name == "position_embedding.weight":
            assert not parameter.any(), name
        elif "ln_" in name:
            assert (parameter == 1).all(), name
        else:
            num = parameter.numel()
            assert parameter.std().item() == pytest.approx(0.02, rel=5 / math.sqrt(2 * num)), name
            assert abs(parameter.mean().item()) < 5 * 0.02 / math.sqrt(num), name


def test_the_head_is_the_embedding_and_has_no_bias() -> None:
    names = [name for name, _ in build_fresh().named_parameters()]
    assert not [name for name in names if "head" in name]
    linears = [m for m in build_fresh().modules() if isinstance(m, nn.Linear)]
    assert len(linears) == 4 * CONFIG.n_layer
    assert all(linear.bias is not None for linear in linears)


def test_one_seed_gives_one_model_and_another_seed_another() -> None:
    one, same, other = (build_fresh(seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["token_embedding.weight"], other["token_embedding.weight"])


def test_initialization_does_not_draw_from_the_shared_random_generator() -> None:
    model, before = GPT(CONFIG, 30), torch.get_rng_state()
    init_weights(model, 1)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", ["adapter", "head"])
def test_a_parameter_without_a_known_initialization_is_an_error_that_names_it(name: str) -> None:
    model = GPT(CONFIG, 30)
    model.add_module(name, nn.Linear(2, 2, bias=False))
    with pytest.raises(AssertionError, match=rf"'{name}\.weight'"):
        init_weights(model, 1)
