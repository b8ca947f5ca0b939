"""Choose a recipe's fusion by measurement."""
