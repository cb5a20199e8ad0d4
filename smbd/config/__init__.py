"""shares.toml -> frozen dataclasses; an error names file, line, key, and what would be right."""

from smbd.config.environment import stands_in
from smbd.config.first_start import (
    Prepared,
    directory_problem,
    directory_warning,
    new_password,
    prepare,
    system_user,
)
from smbd.config.load import load
from smbd.config.made import check_made
from smbd.config.model import (
    DIALECTS,
    Address,
    Config,
    ConfigError,
    Encryption,
    Guest,
    Limits,
    LogFormat,
    Problem,
    ServerConfig,
    ShareConfig,
    Signing,
    UserConfig,
    dialect_name,
)
from smbd.config.names import share_name_problem, user_name_problem
from smbd.config.passwords import exposed_problem, read_password
from smbd.config.rids import relative_id
from smbd.config.runtime import default_status_socket, make_runtime_directory, runtime_directory

__all__ = [
    "DIALECTS",
    "Address",
    "Config",
    "ConfigError",
    "Encryption",
    "Guest",
    "Limits",
    "LogFormat",
    "Prepared",
    "Problem",
    "ServerConfig",
    "ShareConfig",
    "Signing",
    "UserConfig",
    "check_made",
    "default_status_socket",
    "dialect_name",
    "directory_problem",
    "directory_warning",
    "exposed_problem",
    "load",
    "make_runtime_directory",
    "new_password",
    "prepare",
    "read_password",
    "relative_id",
    "runtime_directory",
    "share_name_problem",
    "stands_in",
    "system_user",
    "user_name_problem",
]
