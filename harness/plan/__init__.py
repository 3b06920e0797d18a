"""What a comparison will do: what was asked, arms, ablations, and the plan that is stored before the first run."""
