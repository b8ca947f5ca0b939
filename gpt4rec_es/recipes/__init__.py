"""Recipes of an installation: those shipped as files here, and those stored in the database."""
