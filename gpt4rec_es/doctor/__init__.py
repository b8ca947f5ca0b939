"""Examining an installation: servers, settings, model and machine."""
