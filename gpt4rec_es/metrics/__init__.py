"""How good lists are; pure functions over arrays."""
