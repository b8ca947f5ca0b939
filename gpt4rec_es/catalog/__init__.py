"""Use cases of the catalog: imports of items and interactions, block rules."""
