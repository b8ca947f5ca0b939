"""Checks of an installation: servers, settings, model and machine."""
