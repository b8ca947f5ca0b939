"""The settings of a process, from its environment and a ``.env`` file."""

from gpt4rec_es.settings.settings import VARIABLES, Settings, load_settings, variable_of

__all__ = ["VARIABLES", "Settings", "load_settings", "variable_of"]
