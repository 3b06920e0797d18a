"""The benchmark harness: plan, launch, collect, check, analyse, render. It starts training as a process of its own."""
