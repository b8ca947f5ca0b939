"""From merged lists to the published pointer: gates, publishing, withdrawing, pruning."""
