"""The compiled policy of one project, for verbs that explain it."""

from __future__ import annotations

from pathlib import Path

import click

from proxy.config import Config, load_config
from proxy.deid.dictionary import register
from proxy.deid.profile import Policy
from proxy.deid.tables import Tables
from proxy.errors import ConfigError
from proxy.site import load_policies
from proxy.store.rulebook import load_tables

project_option = click.option("--project", required=True, help="a project of veil.yaml")


def project_policy(config_path: Path, project: str) -> tuple[Config, Tables, Policy]:
    """Configuration, tables and policy; `ConfigError` for what is wrong with any of them."""
    config = load_config(config_path)
    if project not in config.projects:
        raise ConfigError(f"{config_path}: projects", f"no project is called '{project}'")
    tables = load_tables()
    register(tables.attributes)
    only = config.model_copy(update={"projects": {project: config.projects[project]}})
    return config, tables, load_policies(only, tables)[project]
