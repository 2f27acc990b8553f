"""Settings: read once at start-up from `CORPUSCOPE_*` and `.env`; from then on only passed on."""

import contextlib
import os
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import psutil
from platformdirs import user_data_path
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from corpuscope.prompts import Templates
from corpuscope.server.worker_process import GB
from corpuscope.tools.analysis.language import language_code
from corpuscope.tools.archive.runs import Runs
from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.redaction import as_it_is, redact
from corpuscope.tools.embedding.spec import EmbeddingOptions
from corpuscope.tools.llm.endpoint import EndpointOptions
from corpuscope.tools.store.connection import MilvusLocation, without_login
from corpuscope.tools.store.store import Store
from corpuscope.tools.workspace.file_access import FileAccess
from corpuscope.tools.workspace.workspace import Embedders, LatelyUsed, LlmOptions, Workspace

NO_SECRET = SecretStr("")
OPENAI_HOST = "api.openai.com"
LEAST_GB = 1.5
"""Of a job's memory: a worker that has done nothing but compile numba's code has half a GB."""

CONTAINER_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
"""Where Linux tells a container's limit of memory, in its two versions of control groups."""


def _default_home() -> Path:
    return user_data_path("corpuscope", appauthor=False)


def _half_of_the_memory() -> float:
    """Half of the machine's memory, or of what a container may use, in GB; at least `LEAST_GB`."""
    sizes = [psutil.virtual_memory().total]
    for file in CONTAINER_LIMITS:
        # Missing outside of Linux and of containers; "max" where there is no limit.
        with contextlib.suppress(OSError, ValueError):
            sizes.append(int(file.read_text(encoding="ascii")))
    return max(round(min(sizes) / 2 / GB, 2), LEAST_GB)


class Settings(BaseSettings):
    """What a person can set. Every field is the variable `CORPUSCOPE_<FIELD>`."""

    model_config = SettingsConfigDict(
        env_prefix="CORPUSCOPE_",
        env_file=".env",
        env_ignore_empty=True,  # hosts' configuration forms send "" for what was left blank
        extra="ignore",
        frozen=True,
    )

    home: Path = Field(
        default_factory=_default_home,
        description="Folder of everything that is kept: Milvus Lite, runs, maps, inbox.",
    )
    milvus_uri: str | None = Field(
        None,
        pattern=r"^(https?|tcp)://\S+$",
        description="A Milvus server (http://host:19530) or Zilliz Cloud; unset: Milvus Lite.",
    )
    milvus_token: SecretStr = Field(NO_SECRET, description="Token of that server or cloud.")
    allowed_dirs: Annotated[tuple[Path, ...], NoDecode] = Field(
        (),
        description=f"Folders whose files may be read and written, separated by '{os.pathsep}'; "
        "unset: the current folder. The home's inbox always is one.",
    )
    max_file_mb: int = Field(
        2048, ge=1, description="Largest file that ingest reads, unpacked, in MB."
    )
    embedding: str = Field(
        "auto",
        description="Embedder of new datasets: auto, wordllama, lexical, onnx:…, openai:…, "
        "sentence-transformers:…, bge-m3, model2vec:…",
    )
    llm_model: str | None = Field(
        None, description="Model that writes descriptions; unset: the assistant in the chat does."
    )
    llm_base_url: str | None = Field(
        None,
        pattern=r"^https?://\S+$",
        description="OpenAI-compatible endpoint (Ollama, vLLM, LM Studio, Azure); unset: OpenAI.",
    )
    llm_api_key: SecretStr = Field(
        NO_SECRET, description="Its key; for OpenAI itself OPENAI_API_KEY serves too."
    )
    llm_timeout: float = Field(60.0, gt=0, le=600, description="Seconds for one answer.")
    llm_concurrency: int = Field(4, ge=1, le=64, description="Requests at a time.")
    llm_max_tokens_total: int | None = Field(
        None, ge=1, description="Tokens, in and out, that one describe-cluster may use; unset: any."
    )
    llm_price_in: float | None = Field(
        None, ge=0, description="Price of a million tokens sent, to show what descriptions cost."
    )
    llm_price_out: float | None = Field(None, ge=0, description="The same of tokens received.")
    language: str | None = Field(
        None, description="Language of descriptions (de, German); unset: that of the texts."
    )
    redact: bool = Field(
        False,
        description="Take emails, phone, card and id numbers, IPs, secrets and links with tokens "
        "out of every text before a model or the assistant sees it.",
    )
    prompts_dir: Path | None = Field(
        None, description="Folder whose NAME.md take the place of the templates in prompts/."
    )
    embedding_base_url: str | None = Field(
        None,
        pattern=r"^https?://\S+$",
        description="Endpoint of openai:… embedders; unset: the same as CORPUSCOPE_LLM_BASE_URL.",
    )
    embedding_api_key: SecretStr = Field(
        NO_SECRET, description="Its key; unset: the same as CORPUSCOPE_LLM_API_KEY."
    )
    workers: int = Field(2, ge=1, le=16, description="Jobs that may run at a time.")
    memory_gb: float = Field(
        default_factory=_half_of_the_memory,
        gt=0,
        description="Memory that one job may take, in GB; unset: half of all, at least 1.5.",
    )
    plots_kept: int = Field(
        100, ge=1, description="Maps kept in the home, 5 to 10 MB each; older ones are deleted."
    )
    read_seconds: float = Field(
        45.0,
        gt=0,
        le=3600,
        description="How long a call that is no job may take; hosts cut calls at about 60 s.",
    )

    @field_validator("allowed_dirs", mode="before")
    @classmethod
    def _split_folders(cls, value: Any) -> Any:
        return (
            [part for part in value.split(os.pathsep) if part] if isinstance(value, str) else value
        )

    @field_validator("language")
    @classmethod
    def _name_language(cls, value: str | None) -> str | None:
        try:
            return language_code(value) if value else None
        except BadInput as error:
            raise ValueError(str(error)) from error

    @field_validator("prompts_dir")
    @classmethod
    def _find_templates(cls, value: Path | None) -> Path | None:
        if value is not None and not value.expanduser().is_dir():
            raise ValueError(f"there is no folder {value}")
        return value.expanduser().resolve() if value is not None else None

    @field_validator("home", "allowed_dirs")
    @classmethod
    def _resolve(cls, value: Any) -> Any:
        def resolved(folder: Path) -> Path:
            return Path(os.path.realpath(folder.expanduser()))

        return resolved(value) if isinstance(value, Path) else tuple(map(resolved, value))


def read_settings(**overrides: Any) -> Settings:
    """The settings of this process: from the environment and `.env`, or as given.

    The folders that may be entered and OpenAI's own key are settled here, so that nothing looks
    at the environment or the current folder later.

    Raises:
        pydantic.ValidationError: A value is not what it should be.
    """
    settings = Settings(**overrides)
    folders = settings.allowed_dirs or _default_folders()
    updates: dict[str, Any] = {"allowed_dirs": (*folders, settings.home / "inbox")}
    if not settings.llm_api_key.get_secret_value() and _is_openai(settings.llm_base_url):
        updates["llm_api_key"] = SecretStr(os.environ.get("OPENAI_API_KEY", ""))
    return Settings(**overrides | updates)


def _default_folders() -> tuple[Path, ...]:
    """The current folder, unless that is the root or the user's bare home folder, where desktop
    hosts start their servers."""
    current = Path(os.path.realpath(Path.cwd()))
    if current in (Path(current.anchor), Path(os.path.realpath(Path.home()))):
        return ()
    return (current,)


def _is_openai(base_url: str | None) -> bool:
    if base_url is None:
        return True
    parts = urlsplit(base_url)
    return parts.scheme == "https" and parts.hostname == OPENAI_HOST


def shown(settings: Settings) -> dict[str, str]:
    """The settings as a person may see them: variable to value, secrets masked."""
    values: dict[str, str] = {}
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = "(set)" if value.get_secret_value() else "(not set)"
        elif isinstance(value, tuple):
            value = os.pathsep.join(map(str, value))
        text = "(not set)" if value is None else str(value)
        values[f"CORPUSCOPE_{name.upper()}"] = without_login(text)
    return values


def open_workspace(settings: Settings) -> Workspace:
    """What the tools are given. Opens no connection yet and touches no file.

    Where an embedding endpoint of its own is set, the model's key is not sent there.
    """
    llm_key = settings.llm_api_key.get_secret_value()
    endpoint = EndpointOptions(
        base_url=settings.llm_base_url,
        api_key=llm_key,
        timeout=settings.llm_timeout,
        concurrency=settings.llm_concurrency,
    )
    own_key = settings.embedding_api_key.get_secret_value()
    embedding_endpoint = EndpointOptions(
        base_url=settings.embedding_base_url or settings.llm_base_url,
        api_key=own_key or ("" if settings.embedding_base_url else llm_key),
        setting="CORPUSCOPE_EMBEDDING" if settings.embedding_base_url else "CORPUSCOPE_LLM",
        timeout=settings.llm_timeout,
        concurrency=settings.llm_concurrency,
    )
    location = MilvusLocation(
        settings.home, settings.milvus_uri, settings.milvus_token.get_secret_value()
    )
    return Workspace(
        home=settings.home,
        store=Store(location),
        runs=Runs(settings.home / "runs"),
        files=FileAccess(settings.home, settings.allowed_dirs, settings.max_file_mb * 1024 * 1024),
        tables=LatelyUsed(),
        embedders=Embedders(
            EmbeddingOptions(
                models_dir=settings.home / "models",
                folders=(*settings.allowed_dirs, *_own_model(settings.embedding)),
                openai=embedding_endpoint,
                redact=redact if settings.redact else as_it_is,
            )
        ),
        default_embedding=settings.embedding,
        writer=_writer(settings, endpoint),
        templates=Templates(settings.prompts_dir),
        plots_kept=settings.plots_kept,
        language=settings.language,
        redact=redact if settings.redact else as_it_is,
    )


def _own_model(embedding: str) -> tuple[Path, ...]:
    """The folder that the default embedder names: who sets it may use it wherever it lies."""
    name = os.path.expanduser(embedding.partition(":")[2])
    return (Path(os.path.realpath(name)),) if name.startswith((os.sep, ".")) else ()


def _writer(settings: Settings, endpoint: EndpointOptions) -> LlmOptions | None:
    if not settings.llm_model:
        return None
    return LlmOptions(
        endpoint,
        settings.llm_model,
        max_tokens=settings.llm_max_tokens_total,
        price_in=settings.llm_price_in,
        price_out=settings.llm_price_out,
    )


def for_worker(settings: Settings) -> dict[str, Any]:
    """The settings as JSON for a worker's standard input, secrets included."""
    values = settings.model_dump(mode="json")
    for name, value in settings:
        if isinstance(value, SecretStr):
            values[name] = value.get_secret_value()
    values["allowed_dirs"] = [str(folder) for folder in settings.allowed_dirs]
    return values
