"""Every choice of the model against a second implementation, written plainly; and what no loss may depend on."""

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from mainrun.model.counts import compute_num_parameters, list_shapes
from mainrun.model.gpt import GPT
from mainrun.model.initialization import init_weights
from mainrun.model.positions import number_titles, rotate
from mainrun.model.settings import ModelSettings
from mainrun.rules import EOS_ID

VOCAB = 23
POSITIONS, REACHES, MLPS = ("learned", "rope"), ("window", "title"), ("gelu", "relu2", "swiglu")
CHOICES = list(product(POSITIONS, REACHES, MLPS, (True, False), (True, False)))
"""Positions, attention, feed-forward branch, biases, shifts."""
IDS = torch.tensor(
    [[5, 6, EOS_ID, 7, 8, 9, EOS_ID, EOS_ID], [EOS_ID, 3, 4, 5, EOS_ID, 6, 7, 8], [9, 8, 7, 6, 5, 4, 3, 2]]
)


def build_settings(
    positions: str = "learned", attention: str = "window", mlp: str = "gelu", biases: bool = True, shifts: bool = False,
    **more: object,
) -> ModelSettings:  # fmt: skip
    given: dict[str, object] = {"n_layer": 2, "n_head": 2, "d_model": 12, "block_size": 8, "dropout": 0.0} | more
    return ModelSettings(positions=positions, attention=attention, mlp=mlp, biases=biases, shifts=shifts, **given)  # type: ignore[arg-type]  # names of choices as plain text


def build_model(model: ModelSettings, seed: int = 0) -> GPT:
    """Weights far from their start, so that a misplaced id shows in every loss."""
    built = GPT(model, VOCAB)
    generator = torch.Generator().manual_seed(seed)
    for parameter in built.parameters():
        nn.init.normal_(parameter, std=0.7, generator=generator)
    return built.double().eval()


def compute_plain_logits(model: GPT, ids: Tensor) -> Tensor:
    """(T, V) of one window (T,): a token, a head and a pair of dimensions at a time."""
    settings, w = model.settings, dict(model.named_parameters())
    titles, T, width = [], len(ids), settings.d_model  # noqa: N806  # the field's own letters
    for place in range(T):
        titles.append(int((ids[: place + 1] == EOS_ID).sum()))
    sees = [
        [t for t in range(place + 1) if settings.attention == "window" or titles[t] == titles[place]]
        for place in range(T)
    ]
    x = [w["token_embedding.weight"][token] for token in ids]
    if settings.positions == "learned":
        x = [value + w["position_embedding.weight"][place] for place, value in enumerate(x)]
    for layer in range(settings.n_layer):
        own = {name.removeprefix(f"blocks.{layer}."): value for name, value in w.items()}
        h = [norm(value, own, "ln_1") for value in x]
        h = shift(h, own, "shift_1", sees) if settings.shifts else h
        qkv = [linear(value, own, "attn.qkv") for value in h]
        for place in range(T):
            heads = []
            for head in range(settings.n_head):
                size = width // settings.n_head
                part = slice(head * size, (head + 1) * size)
                q = turn(qkv[place][:width][part], place, settings.positions)
                scores = [
                    torch.dot(q, turn(qkv[t][width : 2 * width][part], t, settings.positions)) / math.sqrt(size)
                    for t in sees[place]
                ]
                shares = torch.softmax(torch.stack(scores), 0)
                heads.append(sum(s * qkv[t][2 * width :][part] for s, t in zip(shares, sees[place], strict=True)))
            x[place] = x[place] + linear(torch.cat(heads), own, "attn.proj")
        h = [norm(value, own, "ln_2") for value in x]
        h = shift(h, own, "shift_2", sees) if settings.shifts else h
        x = [value + feed_forward(inner, own, settings.mlp) for value, inner in zip(x, h, strict=True)]
    return torch.stack([norm(value, w, "ln_f") for value in x]) @ w["token_embedding.weight"].T


def norm(x: Tensor, w: Mapping[str, Tensor], name: str) -> Tensor:
    y = (x - x.mean()) / torch.sqrt(x.var(correction=0) + 1e-5) * w[f"{name}.weight"]
    return y + w[f"{name}.bias"] if f"{name}.bias" in w else y


def linear(x: Tensor, w: Mapping[str, Tensor], name: str) -> Tensor:
    y = w[f"{name}.weight"] @ x
    return y + w[f"{name}.bias"] if f"{name}.bias" in w else y


def shift(h: list[Tensor], w: Mapping[str, Tensor], name: str, sees: list[list[int]]) -> list[Tensor]:
    one, two = w[f"{name}.weight"]
    return [
        value
        + (one * h[place - 1] if place - 1 in sees[place] else 0)
        + (two * h[place - 2] if place - 2 in sees[place] else 0)
        for place, value in enumerate(h)
    ]


def turn(x: Tensor, place: int, positions: str) -> Tensor:
    """Each pair of dimensions as a complex number, turned."""
    if positions == "learned":
        return x
    half = len(x) // 2
    pairs = torch.complex(x[:half], x[half:])
    angles = torch.tensor([place / 10_000 ** (2 * i / len(x)) for i in range(half)], dtype=torch.float64)
    turned = pairs * torch.complex(angles.cos(), angles.sin())
    return torch.cat([turned.real, turned.imag])


def feed_forward(h: Tensor, w: Mapping[str, Tensor], kind: str) -> Tensor:
    inner = linear(h, w, "mlp.fc")
    if kind == "gelu":
        inner = 0.5 * inner * (1 + torch.erf(inner / math.sqrt(2)))
    elif kind == "relu2":
        inner = torch.where(inner > 0, inner**2, 0.0)
    else:
        gate = linear(h, w, "mlp.gate")
        inner = inner * gate / (1 + torch.exp(-gate))
    return linear(inner, w, "mlp.proj")


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_every_choice_equals_its_description_computed_plainly(choice: tuple[str, str, str, bool, bool]) -> None:
    model = build_model(build_settings(*choice))
    expected = torch.stack([compute_plain_logits(model, window) for window in IDS])
    torch.testing.assert_close(model(IDS), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_no_loss_depends_on_a_later_token_nor_on_another_title_where_attention_is_within_titles(
    choice: tuple[str, str, str, bool, bool],
) -> None:
    """By gradients of each loss with respect to every token's embedding, where they are exactly 0."""
    model = build_model(build_settings(*choice))
    ids = IDS[:1]
    titles = number_titles(ids)[0].tolist()
    embedded = model.token_embedding(ids).detach().requires_grad_()
    model.token_embedding.forward = lambda _: embedded  # type: ignore[assignment, method-assign]  # stands in for the table
    losses = F.cross_entropy(model(ids)[0], torch.arange(2, 10), reduction="none")
    for place in range(8):
        [gradient] = torch.autograd.grad(losses[place], embedded, retain_graph=True)
        touched = {t for t in range(8) if gradient[0, t].any()}
        within = choice[1] == "title"
        assert touched == {t for t in range(place + 1) if not within or titles[t] == titles[place]}, place


def test_within_titles_a_title_costs_the_same_wherever_it_stands_with_rotations() -> None:
    """Each title's losses, its first token's too, are the same alone and behind others."""
    model = build_model(build_settings("rope", "title", "relu2", False, True))
    title = torch.tensor([EOS_ID, 4, 5, 6])
    alone = model(title[None])[0]
    behind = model(torch.cat([torch.tensor([9, 8, EOS_ID, 3]), title])[None])[0, 4:]
    torch.testing.assert_close(behind, alone, rtol=1e-5, atol=1e-6)


def test_rotations_make_scores_depend_on_the_distance_alone_and_keep_lengths() -> None:
    generator = torch.Generator().manual_seed(0)
    q, k = (torch.randn(6, generator=generator, dtype=torch.float64) for _ in range(2))
    queries, keys = rotate(q.repeat(9, 1)), rotate(k.repeat(9, 1))
    scores = queries @ keys.T
    for distance in range(9):
        assert torch.allclose(scores.diagonal(-distance), scores[distance, 0])
    assert torch.allclose(queries.norm(dim=1), q.norm())
    assert not torch.allclose(scores[0, 0], scores[1, 0])


def test_an_eos_opens_the_title_that_follows_it() -> None:
    assert number_titles(IDS).tolist()[0] == [0, 0, 1, 1, 1, 1, 2, 3]


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(CHOICES), st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.integers(1, 50))
def test_the_shapes_are_counted_for_every_model(
    choice: tuple[str, str, str, bool, bool], n_layer: int, n_head: int, half: int, vocab: int
) -> None:
    model = build_settings(*choice, n_layer=n_layer, n_head=n_head, d_model=2 * n_head * half)
    found = {name: tuple(parameter.shape) for name, parameter in GPT(model, vocab).named_parameters()}
    assert list_shapes(model, vocab) == found
    assert compute_num_parameters(model, vocab) == sum(map(math.prod, found.values()))


def test_scaled_residual_initialization_makes_the_ends_of_branches_smaller_and_changes_no_draw() -> None:
    plain, scaled = (GPT(build_settings(mlp="swiglu", residual_init=kind), VOCAB) for kind in ("plain", "scaled"))
    for model in (plain, scaled):
        init_weights(model, 1)
    for (name, one), two in zip(plain.named_parameters(), scaled.parameters(), strict=True):
        factor = 0.5 if name.endswith("proj.weight") else 1.0  # 1 / √(2 · 2)
        torch.testing.assert_close(two, one * factor, msg=name)
    assert plain.get_parameter("blocks.0.mlp.gate.weight").std().item() == pytest.approx(0.02, rel=0.1)


def test_shifts_start_at_nothing() -> None:
    shifted, plain = (GPT(build_settings(shifts=shifts), VOCAB).eval() for shifts in (True, False))
    for model in (shifted, plain):
        init_weights(model, 1)
    assert torch.equal(shifted(IDS), plain(IDS))


PLACES = {"embedding": "dropout_embedding", "attention": "dropout_attention", "residual": "dropout"}


@pytest.mark.parametrize("place", PLACES)
def test_dropout_acts_at_its_own_place_alone(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen by the shapes that dropout is asked to act on."""
    asked: list[tuple[float, tuple[int, ...]]] = []

    def record(x: Tensor, p: float) -> Tensor:
        asked.append((p, tuple(x.shape)))
        return x

    for module in ("gpt", "attention"):
        monkeypatch.setattr(f"mainrun.model.{module}.dropout", record)
    given: dict[str, Any] = dict.fromkeys(PLACES.values(), 0.0) | {PLACES[place]: 0.5}
    GPT(replace(build_settings(n_layer=1), **given), VOCAB).train()(IDS)
    stream, weights = (3, 8, 12), (6, 8, 8)
    assert asked == [
        (0.5 if place == "embedding" else 0.0, stream),
        (0.5 if place == "attention" else 0.0, weights),
        (0.5 if place == "residual" else 0.0, stream),
        (0.5 if place == "residual" else 0.0, stream),
    ]


def test_a_place_without_dropout_of_its_own_has_the_common_one() -> None:
    common = build_settings(dropout=0.3)
    assert (common.embedding_dropout, common.attention_dropout) == (0.3, 0.3)
