"""After the merge: gates, publishing, withdrawing, pruning."""
