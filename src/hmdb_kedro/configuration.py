"""Where configuration is read from."""

from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader

ARGUMENTS: dict[str, Any] = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {"mlflow": ["mlflow*", "mlflow*/**", "**/mlflow*"]},
    # An environment names only what differs, down to single keys of a branch.
    "merge_strategy": {"parameters": "soft", "mlflow": "soft", "globals": "soft"},
}


class ProjectConfigLoader(OmegaConfigLoader):
    """Kedro's loader, content with a project that has no `conf/local`."""

    def __init__(
        self,
        conf_source: str,
        env: str | None = None,
        runtime_params: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        """Read `base`, then `env`; without `env`, `local` where it exists.

        Args:
            conf_source: Folder or archive of configuration.
            env: Name of the environment to lay over `base`.
            runtime_params: Parameters from the command line.
            **options: As Kedro's loader takes them.
        """
        local = options.get("default_run_env", "local")
        if not (Path(conf_source) / local).is_dir():
            options["default_run_env"] = options.get("base_env", "base")
        super().__init__(conf_source, env, runtime_params, **options)
