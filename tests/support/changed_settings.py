"""Settings of a test with some of them changed."""

from typing import Any

from corpuscope.server.settings import Settings


def changed_settings(settings: Settings, **changes: Any) -> Settings:
    """The settings with these values; they are checked like all others."""
    return Settings.model_validate({**settings.model_dump(), **changes})
