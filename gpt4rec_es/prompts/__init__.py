"""Prompt texts and training pairs; pure."""
