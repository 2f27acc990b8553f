import socket
import threading
from pathlib import Path

import pytest
from support.model_files import model_hub, write_folder

from corpuscope.tools.core.errors import BadInput, NotAllowed, Unavailable
from corpuscope.tools.embedding import model_files
from corpuscope.tools.embedding.factory import fit_embedder, open_embedder
from corpuscope.tools.embedding.model_files import FetchFailed, fetch_model, find_folder
from corpuscope.tools.embedding.onnx import ONNX_FILES
from corpuscope.tools.embedding.spec import EmbeddingOptions, Spec

TEXTS = ["red cars", "blue boats"]


def test_a_model_that_cannot_be_had_says_where_it_was_looked_for(
    hub_settings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for seconds, why in ((0, "fetching is switched off"), (5, r"ConnectError.*refused")):
        options = EmbeddingOptions(tmp_path / "models", fetch_seconds=seconds)
        with pytest.raises(Unavailable, match=rf"neither in .*models nor .*: .*{why}.*") as raised:
            open_embedder("onnx:acme/small", options, tmp_path)
        assert f"model.onnx and tokenizer.json into {tmp_path / 'models'}" in str(raised.value)


def test_a_fetch_that_stalls_ends_in_time_and_leaves_nothing(
    hub_settings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = EmbeddingOptions(tmp_path / "models", fetch_seconds=2)
    files = write_folder(tmp_path / "files")
    with model_hub(files, stalls=True) as url:
        hub_settings.setenv("HF_ENDPOINT", url)
        fitted = fit_embedder("auto", TEXTS, options, tmp_path / "saved")
    assert fitted.embedder.spec == "wordllama"
    assert "it did not come within 2 s" in fitted.note
    assert not list(options.models_dir.iterdir())


def test_a_model_in_the_huggingface_cache_is_used_without_network(
    hub_settings: pytest.MonkeyPatch, options: EmbeddingOptions, tmp_path: Path
) -> None:
    repo = tmp_path / "huggingface/hub/models--acme--small"
    write_folder(repo / "snapshots" / ("0" * 40))
    (repo / "refs").mkdir()
    (repo / "refs/main").write_text("0" * 40, encoding="utf-8")
    embedder = open_embedder("onnx:acme/small", options, tmp_path)
    assert embedder.spec == "onnx:acme/small"
    assert embedder.embed(["w1"]).any()


def test_a_folder_in_the_way_of_a_fetch_is_named(
    hub_settings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = EmbeddingOptions(tmp_path / "models", fetch_seconds=5)
    (options.models_dir / "acme/small").mkdir(parents=True)
    with pytest.raises(Unavailable, match=r"acme.small is in the way"):
        open_embedder("onnx:acme/small", options, tmp_path)


def test_without_network_nothing_is_started_to_look_for_a_model(
    hub_settings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub_settings.setattr(model_files, "_ask", refuse_to_start)
    options = EmbeddingOptions(tmp_path / "models", fetch_seconds=5)
    hub_settings.setenv("HF_ENDPOINT", "https://hub.invalid")
    assert "hub cannot be reached" in fit_embedder("auto", TEXTS, options, tmp_path).note
    hub_settings.setenv("HF_HUB_OFFLINE", "1")
    assert "fetching is switched off" in fit_embedder("auto", TEXTS, options, tmp_path).note
    assert not options.models_dir.exists()


def test_a_look_up_that_hangs_counts_as_no_network(
    hub_settings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ends = threading.Event()
    hub_settings.setattr(socket, "getaddrinfo", lambda *_: ends.wait())
    hub_settings.setattr(model_files, "NAME_SECONDS", 0.01)
    options = EmbeddingOptions(tmp_path / "models", fetch_seconds=5)
    fitted = fit_embedder("auto", TEXTS, options, tmp_path)
    ends.set()
    assert "hub cannot be reached" in fitted.note


def test_behind_a_proxy_the_name_of_the_hub_is_its_business(
    hub_settings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub_settings.setenv("HF_ENDPOINT", "https://hub.invalid")
    hub_settings.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    options = EmbeddingOptions(tmp_path / "models")
    with pytest.raises(FetchFailed, match="refused"):
        fetch_model("acme/small", ONNX_FILES, options, 20)


@pytest.mark.parametrize("kind", ["onnx", "model2vec", "sentence-transformers", "bge-m3"])
@pytest.mark.parametrize("form", ["{}", "{}/", "{}/sub/..", "{}/link"])
def test_of_a_folder_outside_it_is_not_told_whether_it_exists(
    kind: str, form: str, options: EmbeddingOptions, tmp_path: Path
) -> None:
    outside, messages = tmp_path / "outside", set()
    (outside / "there/sub").mkdir(parents=True)
    (outside / "there/link").symlink_to(tmp_path)
    (outside / "file").touch()
    for name in ("there", "none", "file"):
        with pytest.raises(NotAllowed, match="CORPUSCOPE_ALLOWED_DIRS") as raised:
            find_folder(Spec(kind, form.format(outside / name)), options, lambda _: True)
        messages.add(str(raised.value).replace(f"/{name}", "/…"))
    assert len(messages) == 1


@pytest.mark.parametrize("name", ["~root", "~nobody-by-this-name/x", "..", "./none", "/", "."])
def test_no_name_leads_out_of_the_folders_for_models(
    name: str, options: EmbeddingOptions, tmp_path: Path
) -> None:
    with pytest.raises(NotAllowed, match="outside the folders") as raised:
        find_folder(Spec("onnx", name), options, lambda _: True)
    assert str(raised.value).startswith(f"onnx:{name} is")


def test_a_link_out_of_the_folders_for_models_is_followed_before_it_is_judged(
    options: EmbeddingOptions, tmp_path: Path
) -> None:
    write_folder(tmp_path / "outside")
    options.models_dir.mkdir()
    (options.models_dir / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(NotAllowed):
        find_folder(Spec("onnx", str(options.models_dir / "link")), options, lambda _: True)
    # The person who put it there by its name may.
    assert find_folder(Spec("onnx", "link"), options, lambda _: True) == tmp_path / "outside"


@pytest.mark.parametrize("name", ["/a\0b", "./" + "a" * 5_000, "/" + "b/" * 5_000])
def test_a_name_that_can_be_no_folders_is_bad_input(name: str, options: EmbeddingOptions) -> None:
    with pytest.raises(BadInput) as raised:
        find_folder(Spec("onnx", name), options, lambda _: True)
    assert len(str(raised.value)) < 1_000


def refuse_to_start(request: object) -> Path:
    raise AssertionError(f"a process was started for {request}")
