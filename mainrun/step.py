"""Everything of a run that changes while it trains, and the step that changes it."""

from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor
from torch.optim import Optimizer

from mainrun.config import Config
from mainrun.data.batches import Batches
from mainrun.model.gpt import GPT
from mainrun.model.initialization import init_weights
from mainrun.optim.optimizers import build_optimizers, clip_gradients, set_learning_rates
from mainrun.step_clock import StepClock

TOKENS_AT_ONCE = 2048
"""Tokens of a batch that go through the model together on a CPU."""

STEPS_AT_ONCE = {"cpu": 1, "cuda": 20}
"""Steps asked of a device before anything is read back from it: a GPU idles where each waits for its loss."""


@dataclass(frozen=True)
class StepResult:
    """What one training step measured."""

    step: int
    loss_nats_per_token: float
    grad_norm: float
    """Norm over all parameters, before clipping."""
    learning_rate: float
    """The one the step used."""
    train_elapsed_s: float = field(compare=False)
    """The training clock at its end."""


@dataclass
class TrainingState:
    """A model in training: parameters, optimizers, steps done, and training clock."""

    config: Config
    model: GPT
    optimizers: list[Optimizer]
    device: torch.device
    precision: str
    """`float32`, or `bfloat16` for autocast: products in it, weights, sums and updates in float32."""
    step: int = 0
    """Steps done."""
    train_elapsed_s: float = 0.0
    """Training clock, stopped for evaluations and checkpoints."""

    @classmethod
    def build(
        cls, config: Config, vocab_size: int, seed: int, device: torch.device, precision: str = "float32"
    ) -> Self:
        """A fresh state: weights from `seed` on the CPU, then moved; all random generators from `seed`."""
        model = GPT(config.model, vocab_size)
        init_weights(model, seed)
        model.to(device).train()
        torch.manual_seed(seed)
        optimizers = build_optimizers(config.optimizer, dict(model.named_parameters()))
        return cls(config, model, optimizers, device, precision)

    def take_steps(self, batches: Batches, max_steps: int, num_steps: int) -> list[StepResult]:
        """Trains on the next `num_steps` of the `batches`; waits for the device once, at the end."""
        first, clock, launched = self.step + 1, StepClock(self.device), []
        clock.mark()
        for _ in range(num_steps):
            launched.append(self._launch_step(batches, max_steps))
            clock.mark()
        results = []
        for number, (measured, seconds) in enumerate(zip(launched, clock.read_seconds(), strict=True), first):
            loss, grad_norm, learning_rate = measured
            self.train_elapsed_s += seconds
            results.append(StepResult(number, loss.item(), grad_norm.item(), learning_rate, self.train_elapsed_s))
        return results

    def _launch_step(self, batches: Batches, max_steps: int) -> tuple[Tensor, Tensor, float]:
        """One step; its mean loss and gradient norm, scalars that a GPU may still be working on, and learning rate."""
        self.step += 1
        inputs, targets = batches.read(self.step)
        factor = self.config.schedule.compute_factor(self.step, max_steps)
        set_learning_rates(self.optimizers, factor)
        self.model.zero_grad(set_to_none=True)
        loss = self.accumulate_gradients(inputs, targets)
        grad_norm = clip_gradients(self.model.parameters(), self.config.training.grad_clip)
        for optimizer in self.optimizers:
            optimizer.step()
        return loss, grad_norm, self.config.optimizer.learning_rate * factor

    def accumulate_gradients(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Adds the gradients of one batch (B, T) to the parameters'; returns its mean loss, a scalar.

        The batch goes through in parts that a CPU's cache can hold: as many windows as make `TOKENS_AT_ONCE`, each pass
        of R-Drop counted.
        """
        num_tokens, rdrop = targets.numel(), self.config.training.rdrop
        tokens_at_once = num_tokens if self.device.type == "cuda" else TOKENS_AT_ONCE // (2 if rdrop else 1)
        windows_at_once = max(1, tokens_at_once // targets.shape[1])
        total = inputs.new_zeros((), dtype=torch.float32)
        for part in zip(torch.split(inputs, windows_at_once), torch.split(targets, windows_at_once), strict=True):
            with self.autocast():
                if rdrop:
                    objective, loss = self.model.compute_rdrop(*part, rdrop)
                else:
                    objective = loss = self.model.compute_loss(*part)
            (objective / num_tokens).backward()  # type: ignore[no-untyped-call]  # torch does not type backward
            total += loss.detach() / num_tokens
        return total

    def autocast(self) -> torch.autocast:
        """The context in which the model computes in the precision of the run."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bfloat16")

    def to_checkpoint(self) -> dict[str, Any]:
        """All of it as tensors and plain values, the random generators included."""
        return {
            "step": self.step,
            "train_elapsed_s": self.train_elapsed_s,
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "cpu_generator": torch.get_rng_state(),
            "cuda_generator": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
        }

    def restore(self, checkpoint: dict[str, Any]) -> None:
        """Takes over what `to_checkpoint` gave."""
        self.step, self.train_elapsed_s = checkpoint["step"], checkpoint["train_elapsed_s"]
        self.model.load_state_dict(checkpoint["model"])
        for optimizer, stored in zip(self.optimizers, checkpoint["optimizers"], strict=True):
            optimizer.load_state_dict(stored)
        torch.set_rng_state(checkpoint["cpu_generator"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(checkpoint["cuda_generator"], self.device)
