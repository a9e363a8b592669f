"""What readings mean: rules, episodes, scores. Pure: no IO, no clock, no log; usable alone in a notebook."""
