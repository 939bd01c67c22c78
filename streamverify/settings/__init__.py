"""The settings of every command: command-line flags, then the environment, then an optional TOML file.

Each field is the environment variable `STREAMVERIFY_<NAME>`, the flag `--<name>` and a key of `streamverify.toml`.
The fields are declared in a module for each subject; `every.py` joins them, `loading.py` reads them.
"""

from streamverify.setting_sources import PREFIX
from streamverify.settings.every import Settings
from streamverify.settings.loading import load_settings

__all__ = ["PREFIX", "Settings", "load_settings"]
