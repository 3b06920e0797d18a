"""How long each of several steps took, asked once at their end, so that no step waits for a GPU."""

import time

import torch


class StepClock:
    """Marks set between steps, in the order of the device's own work."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._events: list[torch.cuda.Event] = []
        self._times: list[float] = []

    def mark(self) -> None:
        """Everything asked of the device before this belongs to the steps before it."""
        if self._device.type == "cuda":
            event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # torch does not type Event
            event.record()
            self._events.append(event)
        else:
            self._times.append(time.perf_counter())

    def read_seconds(self) -> list[float]:
        """Seconds between neighbouring marks; waits until the device has reached the last."""
        if self._device.type != "cuda":
            return [end - start for start, end in zip(self._times, self._times[1:], strict=False)]
        self._events[-1].synchronize()
        return [start.elapsed_time(end) / 1000 for start, end in zip(self._events, self._events[1:], strict=False)]
