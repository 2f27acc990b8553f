"""Tiny embedding models that the tests make, and a model hub over loopback that serves one."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "query", "text", ":"] + [
    f"w{number}" for number in range(40)
]
DIM = 8
TABLE = np.random.default_rng(7).normal(size=(len(VOCABULARY), DIM)).astype(np.float32)
"""The vector of each token, the padding's included: nothing is zero by accident."""


def write_tokenizer(path: Path, max_tokens: int | None = None) -> None:
    """A tokenizer.json that puts [CLS] before the words and [SEP] after them."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing

    ids = {token: number for number, token in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(WordLevel(ids, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    if max_tokens:
        tokenizer.enable_truncation(max_tokens)
    # As many models on the hub: padded to a fixed length, which an embedder has to undo.
    tokenizer.enable_padding(length=16)
    tokenizer.save(str(path))


def write_model(path: Path, *, output: str = "last_hidden_state", inputs: int = 3) -> None:
    """An ONNX model that looks up the vector of each token.

    With another `output` than last_hidden_state it gives one vector per text: that of the last
    column, so that no pooling yields it. `inputs` says how many of the usual ones it declares.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    names = ["input_ids", "attention_mask", "token_type_ids", "position_ids"][:inputs]
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["tokens"])]
    shape: list[str | int | None]
    constants = [numpy_helper.from_array(TABLE, "table")]
    if output == "last_hidden_state":
        nodes.append(helper.make_node("Identity", ["tokens"], [output]))
        shape = ["texts", "longest", DIM]
    else:
        constants.append(numpy_helper.from_array(np.array(-1), "last"))
        nodes.append(helper.make_node("Gather", ["tokens", "last"], [output], axis=1))
        shape = ["texts", DIM]
    graph = helper.make_graph(
        nodes,
        "lookup",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "longest"])
            for name in names
        ],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
        constants,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    # Versions that every onnxruntime of the last years reads.
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))


def write_folder(folder: Path, **files: object) -> Path:
    """A folder with model and tokenizer; more JSON files by name, `__` standing for `/`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_model(folder / "model.onnx")
    write_tokenizer(folder / "tokenizer.json")
    for name, content in files.items():
        path = folder / f"{name.replace('__', '/')}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    return folder


def token_vectors(*words: str) -> NDArray[np.float32]:
    """The (n, DIM) vectors of tokens, [CLS] and [SEP] included, as the model looks them up."""
    tokens = ["[CLS]", *words, "[SEP]"]
    return TABLE[[VOCABULARY.index(token) for token in tokens]]


class _Hub(BaseHTTPRequestHandler):
    """Answers the calls of huggingface_hub: what a model has, and its files."""

    def __init__(self, *args: object, files: Path, closing: threading.Event | None) -> None:
        self.files = files
        self.closing = closing
        super().__init__(*args)  # type: ignore[arg-type]

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        if self.path.startswith("/api/models/"):
            names = [path for path in self.files.rglob("*") if path.is_file()]
            siblings = [{"rfilename": path.relative_to(self.files).as_posix()} for path in names]
            self._send(json.dumps({"id": "any", "siblings": siblings}).encode(), with_body)
            return
        path = self.files / self.path.partition("/resolve/main/")[2]
        self._send(path.read_bytes(), with_body, stalls=path.suffix == ".onnx")

    def _send(self, body: bytes, with_body: bool, stalls: bool = False) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{len(body)}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()
        if not with_body:
            return
        if stalls and self.closing:
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.closing.wait()
            return
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def model_hub(files: Path, *, stalls: bool = False) -> Iterator[str]:
    """Serve the files of a folder as those of every model, and give the URL of the hub.

    With `stalls`, the model file stops half-way until the block ends.
    """
    closing = threading.Event()
    handler: Callable[..., _Hub] = partial(_Hub, files=files, closing=closing if stalls else None)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
