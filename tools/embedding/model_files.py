"""Where the files of a model are: a given folder, the models folder, or fetched from the hub."""

import json
import os
import queue
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit
from urllib.request import getproxies

from corpuscope.tools.core.errors import BadInput, NotAllowed, Unavailable
from corpuscope.tools.embedding.spec import EmbeddingOptions, Spec

HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")

NAME_SECONDS = 2.0
"""Limit for the look-up of the hub's name: where it takes longer, no model comes in seconds."""

SWITCHED_ON = frozenset({"1", "TRUE", "YES", "ON"})
"""What huggingface_hub takes for a set variable."""

CACHE_SECONDS = 20.0
"""Limit for a look into the cache alone: to start Python and huggingface_hub on a busy machine."""


class FetchFailed(Exception):
    """A model could not be had in time; the message is the reason, as a clause."""


@dataclass(frozen=True)
class WantedFiles:
    """Files of a model on the hub: one of `models`, the first that is there, and `also`.

    The first of `also` is needed, the others are taken where there are any.
    """

    models: Sequence[str]
    also: Sequence[str]


def find_folder(
    spec: Spec, options: EmbeddingOptions, holds: Callable[[Path], bool]
) -> Path | None:
    """The local folder of a model, None if the name is a hub id and no such folder is there.

    A name that is absolute or begins with `~` or `.` is that folder, which lies in
    `options.folders` or `models_dir`. Other names are looked for in `models_dir`: as they are, by
    their last part, and that with `-onnx`; `holds` tells whether a folder has what it takes.

    Raises:
        NotAllowed: The named folder lies elsewhere (whether it exists is not told).
        Unavailable: The named folder does not exist.
        BadInput: The name is neither a folder nor a hub id.
    """
    models_dir = options.models_dir
    if os.path.isabs(spec.name) or spec.name.startswith(("~", ".")):
        return _named_folder(spec, options)
    path = Path(spec.name)
    if not HUB_ID.fullmatch(spec.name):
        raise BadInput(
            f"'{spec.name[:80]}' is no hub id such as acme/small; write a folder as an absolute "
            "path or with ./ in front."
        )
    tried = (models_dir / path, models_dir / path.name, models_dir / f"{path.name}-onnx")
    return next((folder.resolve() for folder in tried if folder.is_dir() and holds(folder)), None)


def _named_folder(spec: Spec, options: EmbeddingOptions) -> Path:
    models_dir = options.models_dir
    instead = f"put the model below {models_dir} and name it as it is called there"
    try:
        folder = Path(os.path.realpath(os.path.expanduser(spec.name)))
    except ValueError as error:
        raise BadInput(f"{str(spec)[:80]!a} names no folder: {error}.") from error
    allowed = (*options.folders, Path(os.path.realpath(models_dir)))
    # As it was given: where `~somebody` or a link leads is not told.
    if not any(folder.is_relative_to(place) for place in allowed):
        raise NotAllowed(
            f"{str(spec)[:200]} is outside the folders in which a model may lie. "
            f"Add its folder to CORPUSCOPE_ALLOWED_DIRS, or {instead}."
        )
    if not os.path.isdir(folder):
        raise Unavailable(
            f"{str(spec)[:200]}: there is no such folder. Name the one that holds the model, "
            f"or {instead}."
        )
    return folder


def absolute_spec(spec: Spec, folder: Path | None) -> str:
    """The spec to keep: a folder that was given as a path is kept as an absolute one."""
    named = HUB_ID.fullmatch(spec.name) or not spec.name
    return str(spec) if named or folder is None else f"{spec.kind}:{folder}"


def fetch_model(repo: str, wanted: WantedFiles, options: EmbeddingOptions, seconds: float) -> Path:
    """The folder of a model from the Hugging Face cache, or fetched into the models folder.

    Takes no longer than `seconds`, and leaves nothing half done when it fails; with 0 `seconds`
    it only looks in the cache. Where the hub's name is not even known, it says so at once. Raises
    FetchFailed.
    """
    if not _in_hub_cache(repo):  # which spares the second that a look by the hub's library takes
        if seconds <= 0 or os.environ.get("HF_HUB_OFFLINE", "").upper() in SWITCHED_ON:
            raise FetchFailed("fetching is switched off")
        if not _hub_is_known():
            raise FetchFailed("the Hugging Face hub cannot be reached")
    request = {"repo": repo, "models": wanted.models, "also": wanted.also}
    if seconds <= 0:
        return _ask(request | {"folder": None, "seconds": CACHE_SECONDS})
    target = options.models_dir / repo
    if target.exists():
        raise FetchFailed(f"{target} is in the way, which holds no {wanted.models[0]}")
    try:
        options.models_dir.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".fetch-", dir=options.models_dir) as temporary:
            draft = Path(temporary, "model")
            folder = _ask(request | {"folder": str(draft), "seconds": seconds})
            if folder != draft:  # it was in the cache
                return folder
            shutil.rmtree(draft / ".cache", ignore_errors=True)  # the hub's own notes
            target.parent.mkdir(exist_ok=True)
            if not target.exists():  # another process may have been faster
                draft.rename(target)
    except OSError as error:
        raise FetchFailed(f"{target} cannot be written ({error.strerror})") from error
    return target.resolve()


def _in_hub_cache(repo: str) -> bool:
    """Whether the cache of huggingface_hub, at its usual places, has a folder for the model."""
    variables = os.environ.get
    home = Path(variables("XDG_CACHE_HOME", Path.home() / ".cache"), "huggingface")
    caches = (
        variables("HF_HUB_CACHE"),
        variables("HUGGINGFACE_HUB_CACHE"),
        Path(variables("HF_HOME", home), "hub"),
    )
    folder = f"models--{repo.replace('/', '--')}"
    return any(Path(cache, folder).expanduser().is_dir() for cache in caches if cache)


def _hub_is_known() -> bool:
    """Whether the name of the hub leads anywhere; behind a proxy, that knows it."""
    if any(getproxies().get(kind) for kind in ("https", "http", "all")):
        return True
    hub = urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    found: queue.Queue[bool] = queue.Queue()

    def look_up() -> None:
        try:
            socket.getaddrinfo(hub.hostname, hub.port or 443)
        except OSError:
            found.put(False)
        else:
            found.put(True)

    # A look-up that hangs cannot be ended; as a daemon it keeps nobody waiting.
    threading.Thread(target=look_up, daemon=True).start()
    try:
        return found.get(timeout=NAME_SECONDS)
    except queue.Empty:
        return False


def _ask(request: dict[str, object]) -> Path:
    """The folder that `hub_fetch` answers to a request, in a process of its own."""
    script = str(Path(__file__).with_name("hub_fetch.py"))
    try:
        # -P: the modules beside the script must not stand in for packages of the same name.
        process = subprocess.run(
            [sys.executable, "-P", script, json.dumps(request)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=float(str(request["seconds"])),
        )
    except subprocess.TimeoutExpired as error:
        raise FetchFailed(f"it did not come within {request['seconds']} s") from error
    if process.returncode:
        lines = process.stderr.strip().splitlines() or ["the download ended without a word"]
        raise FetchFailed(lines[-1].rstrip(".")[:200])
    folder = json.loads(process.stdout)
    if folder is None:
        raise FetchFailed("fetching is switched off")
    return Path(folder)
