import os
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from pydantic import ValidationError

from corpuscope.server import settings as module
from corpuscope.server.cli import main
from corpuscope.server.settings import Settings, for_worker, open_workspace, read_settings, shown


def test_settings_come_from_the_environment_and_a_dotenv_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("CORPUSCOPE_LLM_MODEL=from-file\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CORPUSCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CORPUSCOPE_ALLOWED_DIRS", f"{tmp_path}{os.pathsep}/usr/share")
    settings = read_settings()
    assert settings.llm_model == "from-file"
    assert settings.home == (tmp_path / "home").resolve()
    assert settings.allowed_dirs[:2] == (tmp_path.resolve(), Path("/usr/share"))


def test_without_a_setting_the_inbox_and_the_current_folder_are_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = read_settings(_env_file=None, home=tmp_path / "home")
    assert settings.allowed_dirs == (tmp_path, tmp_path / "home" / "inbox")


@pytest.mark.parametrize("where", ["/", "~"])
def test_the_root_and_the_bare_home_folder_are_never_allowed_by_default(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(Path(where).expanduser())
    settings = read_settings(_env_file=None, home=tmp_path / "data")
    assert settings.allowed_dirs == (tmp_path / "data" / "inbox",)


def test_openais_own_key_goes_to_openai_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-own")
    assert read_settings(_env_file=None).llm_api_key.get_secret_value() == "sk-own"
    for url in (
        "http://localhost:11434/v1",
        "https://api.openai.com.evil.example/v1",
        "https://evil.example//api.openai.com/v1",
        "http://api.openai.com/v1",
    ):
        elsewhere = read_settings(_env_file=None, llm_base_url=url)
        assert elsewhere.llm_api_key.get_secret_value() == ""


def test_the_models_key_is_not_sent_to_another_embedding_endpoint() -> None:
    settings = read_settings(
        _env_file=None, llm_api_key="secret-key", embedding_base_url="http://localhost:1/v1"
    )
    options = open_workspace(settings).embedders.options.openai
    assert options is not None
    assert options.api_key == ""


def test_secrets_are_masked_where_people_look_and_whole_for_the_worker() -> None:
    settings = read_settings(_env_file=None, llm_api_key="secret-key", milvus_token="secret-token")
    assert "secret" not in str(shown(settings)) + repr(settings)
    assert shown(settings)["CORPUSCOPE_LLM_API_KEY"] == "(set)"
    assert Settings.model_validate(for_worker(settings)) == settings


@pytest.mark.parametrize(
    ("name", "value"),
    [("milvus_uri", "localhost"), ("llm_timeout", -1), ("max_file_mb", 0), ("workers", 99)],
)
def test_a_wrong_setting_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=name):
        read_settings(_env_file=None, **{name: value})


@pytest.mark.parametrize(
    ("limit", "allowed"),
    [("8000000000", 4.0), ("max", None), ("512000000", 1.5), (None, None)],
)
def test_a_job_may_take_half_of_the_memory_that_there_is(
    limit: str | None, allowed: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = SimpleNamespace(total=64_000_000_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: machine)
    monkeypatch.setattr(module, "CONTAINER_LIMITS", (tmp_path / "memory.max",))
    if limit is not None:
        (tmp_path / "memory.max").write_text(f"{limit}\n", encoding="ascii")
    assert read_settings(_env_file=None).memory_gb == (allowed or 32.0)


def test_a_blank_setting_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MILVUS_URI", "LLM_MODEL", "LLM_TIMEOUT", "HOME"):
        monkeypatch.setenv(f"CORPUSCOPE_{name}", "")
    settings = read_settings(_env_file=None)
    assert settings.milvus_uri is None
    assert settings.llm_timeout == 60
    assert settings.home != Path.cwd()


def test_the_command_names_a_wrong_setting_without_its_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CORPUSCOPE_MILVUS_URI", "not-a-uri-but-perhaps-a-secret")
    assert main([]) == 2
    said = capsys.readouterr().err
    assert "CORPUSCOPE_MILVUS_URI" in said
    assert "secret" not in said


def test_the_command_tells_its_version_and_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    for argument, said in (("--version", "0."), ("--help", "doctor")):
        with pytest.raises(SystemExit) as end:
            main([argument])
        assert end.value.code == 0
        assert said in capsys.readouterr().out


@pytest.mark.parametrize("named", ["onnx:{}", "model2vec:{}/"])
def test_models_lie_in_the_allowed_folders_or_where_the_setting_says(
    named: str, tmp_path: Path
) -> None:
    model, allowed = tmp_path / "model", tmp_path / "allowed"
    settings = read_settings(
        _env_file=None, home=tmp_path, allowed_dirs=(allowed,), embedding=named.format(model)
    )
    options = open_workspace(settings).embedders.options
    assert options.folders == (allowed, tmp_path / "inbox", model)
    assert options.models_dir == tmp_path / "models"


def test_a_current_folder_that_is_gone_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert main([]) == 2
    assert "corpuscope cannot start: the current folder: No such file" in capsys.readouterr().err


def test_a_template_that_cannot_be_used_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "instructions.md").write_bytes(b"\xff\xfe")
    monkeypatch.setenv("CORPUSCOPE_PROMPTS_DIR", str(tmp_path))
    assert main([]) == 2
    assert "instructions.md" in capsys.readouterr().err
