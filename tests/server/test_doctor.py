from pathlib import Path

import pytest
from support.endpoint_server import describes, endpoint_server

from corpuscope.server.doctor import run_doctor
from corpuscope.server.settings import read_settings


def test_it_tells_what_is_configured_reachable_and_at_hand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with endpoint_server(describes) as server:
        settings = read_settings(
            _env_file=None,
            home=tmp_path,
            embedding="lexical",
            llm_base_url=server.url,
            llm_model="tiny",
            llm_api_key="secret-key",
        )
        assert run_doctor(settings) == 0
    said = capsys.readouterr().out
    assert "secret-key" not in said
    assert "CORPUSCOPE_LLM_API_KEY           (set)" in said
    assert f"GB free where {tmp_path} lies" in said
    assert "ok    Milvus: Milvus Lite in the home, 0 datasets" in said
    assert "ok    Default embedding: lexical" in said
    assert "tiny is offered" in said
    assert "mcp 2." in said
    assert "redaction               off (CORPUSCOPE_REDACT)" in said


def test_what_does_not_work_is_named_and_the_exit_code_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = read_settings(
        _env_file=None,
        home=tmp_path,
        embedding="lexical",
        milvus_uri="http://127.0.0.1:9",
    )
    assert run_doctor(settings) == 1
    said = capsys.readouterr().out
    assert "FAIL  Milvus: Milvus does not answer at http://127.0.0.1:9" in said
    assert "Set CORPUSCOPE_LLM_MODEL" in said


def test_it_says_what_redaction_leaves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = read_settings(_env_file=None, home=tmp_path, embedding="lexical", redact=True)
    assert run_doctor(settings) == 0
    said = capsys.readouterr().out
    assert "redaction               on, before each of these but Milvus; names stay" in said


def test_without_any_setting_the_vectors_are_those_that_come_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    assert run_doctor(read_settings(_env_file=None, home=tmp_path)) == 0
    said = capsys.readouterr().out
    assert "ok    Default embedding: wordllama, 256 numbers. English word vectors" in said
    assert "the small transformer is not on this machine" in said
    assert "wordllama 0.4" in said


def test_a_home_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("x", encoding="utf-8")
    for home, why in ((file, "is a file"), (file / "home", f"lies below {file}, which is a file")):
        assert run_doctor(read_settings(_env_file=None, home=home, embedding="lexical")) == 1
        said = capsys.readouterr().out
        assert f"FAIL  Disk: The home {home} {why}" in said
        assert "FAIL  Milvus: The home" in said
        assert "set CORPUSCOPE_HOME to a folder of yours" in said
