"""Kedro's settings: https://docs.kedro.org/en/stable/configure/project_settings/."""

import logging

# Warnings that the user of this project can do nothing about. Kedro sends warnings to this logger;
# filters of the module `warnings` would not do, because the libraries set their own on import.
_NOT_NEWS = (
    "Option '--pipeline' is deprecated",  # it is how this project's pipelines are run
    "register_new_resolver() is deprecated",
    "One or more dataset names contain '.'",  # fusion reads what the models' namespaces made
    "Add type hints to the `predict` method",
    "ORJSONResponse is deprecated",  # by kedro-viz
    "IProgress not found",  # of notebooks without ipywidgets, which none of ours shows
)
logging.getLogger("py.warnings").addFilter(
    lambda record: not any(text in record.getMessage() for text in _NOT_NEWS)
)

from hmdb_kedro import configuration, hooks, offline, terminal  # noqa: E402

offline.keep_viz_offline()
terminal.log_plainly_when_piped()

HOOKS = hooks.HOOKS
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)
SESSION_STORE_CLASS = hooks.Sessions
CONFIG_LOADER_CLASS = configuration.ProjectConfigLoader
CONFIG_LOADER_ARGS = configuration.ARGUMENTS
