"""Looks for a model in the Hugging Face cache, and fetches it from the hub.

Run as a script, in a process of its own: a download in a thread cannot be stopped, and what the
libraries print must not mix with the protocol on the server's standard output. Imports nothing
of corpuscope, so that it starts fast.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path, PurePosixPath
from typing import Any

ON_PARENT_DEATH = 1
"""`PR_SET_PDEATHSIG` of Linux' prctl.h: which signal a process gets when its parent ends."""


def main(request: str) -> None:
    """Answer one request, a JSON object, with the path of a folder on standard output.

    `repo` is the hub id; `models` are file names, the wanted one first; `also` are files to take
    where the repo has them, the first being needed; `folder` is where to put what is fetched,
    null to only look in the cache; `seconds` is when to give up. What fails is left to crash:
    the last line of the traceback is the reason.
    """
    asked: dict[str, Any] = json.loads(request)
    # The process that asked kills this one when it is late. Should it be gone, this ends it.
    alarm = threading.Timer(asked["seconds"], os._exit, [1])
    alarm.daemon = True
    alarm.start()
    if sys.platform == "linux":  # and at once where that was killed
        import ctypes

        ctypes.CDLL(None).prctl(ON_PARENT_DEATH, signal.SIGKILL)
    # xet keeps the parts of a file in a cache that would stay when the download is cut off.
    os.environ["HF_HUB_DISABLE_XET"] = "1"
    folder = _cached(asked["repo"], asked["models"], asked["also"][0])
    if folder is None and asked["folder"] is not None:
        folder = _download(asked["repo"], asked["models"], asked["also"], asked["folder"])
    sys.stdout.write(json.dumps(folder))


def _cached(repo: str, models: list[str], needed: str) -> str | None:
    """The snapshot in the cache that holds one of the models and the needed file."""
    from huggingface_hub import try_to_load_from_cache

    needed_path = try_to_load_from_cache(repo, needed)
    for model in models:
        model_path = try_to_load_from_cache(repo, model)
        if isinstance(model_path, str) and isinstance(needed_path, str):
            return str(Path(model_path).parents[len(PurePosixPath(model).parts) - 1])
    return None


def _download(repo: str, models: list[str], also: list[str], folder: str) -> str:
    from huggingface_hub import hf_hub_download, model_info

    # `model_info` fails at once where there is no network; other listings try for 24 s.
    offered = {file.rfilename for file in model_info(repo).siblings or ()}
    model = next((name for name in models if name in offered), None)
    if model is None or also[0] not in offered:
        raise SystemExit(f"it has none of {', '.join(models)}, or no {also[0]}")
    for name in [model, f"{model}_data", *also]:
        if name in offered:
            hf_hub_download(repo, name, local_dir=folder)
    return folder


if __name__ == "__main__":
    main(sys.argv[1])
