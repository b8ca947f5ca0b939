"""The command line: help, versions, one line and an exit code for every kind of error."""

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from elastic_transport import ConnectionTimeout
from sqlalchemy.exc import OperationalError

from gpt4rec_es.cli.config import config
from gpt4rec_es.cli.main import COMMANDS, cli, run
from gpt4rec_es.errors import DependencyError, GateError, Gpt4RecError, UsageError

# Modules that import slowly or connect to servers, unneeded by help and completion.
HEAVY = ("torch", "transformers", "sqlalchemy", "elasticsearch", "celery", "numpy", "pyarrow")
RAISED: list[BaseException] = []


@click.command()
def fail() -> None:
    if RAISED:
        raise RAISED.pop()


@pytest.fixture
def _failing_command() -> Iterator[None]:
    cli.add_command(fail)
    yield
    del cli.commands["fail"]
    RAISED.clear()


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove settings and the local stack of the test machine."""
    for name in list(os.environ):
        if name.startswith(("GPT4REC_", "DATABASE_", "ELASTICSEARCH_", "CELERY_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GPT4REC_STACK_FOLDER", str(tmp_path / "no-stack"))
    monkeypatch.chdir(tmp_path)


def gpt4rec(*args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gpt4rec_es", *args],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


class TestHelp:
    def test_lists_every_command_with_what_it_is_for(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(["--help"]) == 0
        out = capsys.readouterr().out
        for name, (_, text) in COMMANDS.items():
            assert re.search(rf"^  {name} +{text.split()[0]}", out, re.MULTILINE)
        assert "completion" in out

    def test_no_arguments_show_it_too(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run([]) == 2
        assert "Commands:" in capsys.readouterr().err

    @pytest.mark.parametrize("name", sorted(COMMANDS))
    def test_every_command_is_there_and_says_the_same(
        self, name: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run([name, "--help"]) == 0
        assert f"Usage: gpt4rec {name}" in capsys.readouterr().out

    def test_every_option_and_argument_has_help(self) -> None:
        silent = []

        def walk(command: click.Command, path: str) -> None:
            assert command.help, path
            silent.extend(
                f"{path} {parameter.name}"
                for parameter in command.params
                if isinstance(parameter, click.Option) and not parameter.help
            )
            if isinstance(command, click.Group):
                context = click.Context(command)
                for name in command.list_commands(context):
                    found = command.get_command(context, name)
                    assert found is not None
                    walk(found, f"{path} {name}")

        walk(cli, "gpt4rec")
        assert silent == []

    def test_loads_nothing_heavy(self) -> None:
        code = (
            "import sys\n"
            "from gpt4rec_es.cli.main import COMMANDS, run\n"
            "for args in [['--help'], ['--version'], ['completion', 'zsh'],"
            " *([name, '--help'] for name in COMMANDS)]:\n"
            "    assert run(args) == 0, args\n"
            f"    loaded = sorted(set({HEAVY!r}) & set(sys.modules))\n"
            "    assert not loaded, (args, loaded)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert re.fullmatch(r"gpt4rec \d+\.\d+\.\d+\+[0-9a-f]{12}\n", capsys.readouterr().out)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert "_GPT4REC_COMPLETE" in capsys.readouterr().out


def test_completion_knows_commands_and_options_without_importing_any() -> None:
    context = click.Context(cli, info_name="gpt4rec")
    assert [item.value for item in cli.shell_complete(context, "re")] == [
        "reindex",
        "rerankers",
        "recipes",
        "replay",
        "report",
    ]
    assert {item.value for item in cli.shell_complete(context, "co")} == {"config", "completion"}
    assert "--debug" in {item.value for item in cli.shell_complete(context, "--")}


def test_completion_of_a_command_name() -> None:
    done = gpt4rec(_GPT4REC_COMPLETE="bash_complete", COMP_WORDS="gpt4rec gener", COMP_CWORD="1")
    assert done.stdout == "plain,generators\n"


@pytest.mark.usefixtures("_failing_command")
class TestErrors:
    def result(self, error: BaseException, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
        RAISED.append(error)
        code = run(["fail"])
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        return code, captured.err

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (Gpt4RecError("It broke.", "Do this."), 1),
            (UsageError("It broke.", "Do this."), 2),
            (GateError("It broke.", "Do this."), 3),
            (DependencyError("It broke.", "Do this."), 4),
        ],
    )
    def test_expected_error_is_its_line_and_code(
        self, error: Gpt4RecError, code: int, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.result(error, capsys) == (code, "Error: It broke. Do this.\n")

    def test_unexpected_error_says_how_to_get_more(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        code, line = self.result(RuntimeError("odd\nthing"), capsys)
        assert code == 1
        assert line.startswith("Error: Unexpected RuntimeError: odd.")
        assert "--debug" in line

    def test_debug_shows_the_traceback_without_secrets(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        RAISED.append(RuntimeError("password=canary"))
        assert run(["--debug", "fail"]) == 1
        err = capsys.readouterr().err
        assert "Traceback" in err
        assert "canary" not in err

    def test_interrupt(self, capsys: pytest.CaptureFixture[str]) -> None:
        RAISED.append(KeyboardInterrupt())
        assert run(["fail"]) == 130
        # The first newline ends the line in which the terminal shows ^C.
        assert capsys.readouterr().err == "\nInterrupted.\n"

    def test_secrets_and_control_characters_are_kept_out(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        error = UsageError("bad \x1b[31m postgresql://u:canary@h/d", "")
        assert self.result(error, capsys) == (2, "Error: bad \\x1b[31m postgresql://u:***@h/d\n")

    def test_other_click_errors(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.result(click.ClickException("no file"), capsys) == (1, "Error: no file\n")
        assert self.result(click.UsageError("no"), capsys)[0] == 2

    def test_library_error_of_a_server_is_a_dependency(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for error in (
            OperationalError("SELECT 1", {}, Exception("connection refused\nis it up?")),
            ConnectionTimeout("timed out"),
        ):
            code, line = self.result(error, capsys)
            assert code == 4
            assert line.startswith("Error: A server that is needed cannot be reached: ")
            assert "gpt4rec stack status" in line

    @pytest.mark.parametrize(
        ("state", "said"),
        [("57014", "took longer than allowed"), ("40001", "changed the same rows")],
    )
    def test_a_refused_statement_is_no_lost_server(
        self, state: str, said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        refused = Exception("canceling statement")
        refused.pgcode = state  # type: ignore[attr-defined]
        code, line = self.result(OperationalError("SELECT 1", {}, refused), capsys)
        assert code == 1
        assert said in line
        assert "cannot be reached" not in line

    def test_a_full_disk_is_no_fault_of_the_program(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        full = OSError(errno.ENOSPC, "No space left on device", "/data/x.csv")
        code, line = self.result(full, capsys)
        assert code == 1
        assert "No space left on device (/data/x.csv). Free disk space" in line

    def test_an_error_without_words_is_named_by_its_kind(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for error in (ValueError(), ValueError(None), ValueError(" ")):
            assert "Unexpected ValueError: ValueError." in self.result(error, capsys)[1]

    def test_none_is_success(self) -> None:
        assert run(["fail"]) == 0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["nihgt"], "There is no command 'nihgt'. Did you mean night? See `gpt4rec --help`."),
        (["qqqq"], "There is no command 'qqqq'. See `gpt4rec --help`."),
        (["--nix"], "No such option '--nix'. See `gpt4rec --help`."),
        (["config", "show", "--nix"], "See `gpt4rec config show --help`."),
        (
            ["split", "create", "s"],
            "Missing option '--protocol'. Choose from: leave-one-out, users,",
        ),
        (["why", "u", "--svg", "u.png"], "u.png is to hold SVG: name it u.svg."),
        (["--log-level", "loud", "config", "show"], "'loud' is not one of"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(
    args: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(args) == 2
    err = capsys.readouterr().err
    assert err.startswith("Error: ")
    assert said in err
    assert err.count("\n") == 1


class TestConfig:
    def test_shows_all_settings_masked(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("DATABASE_URL", "postgresql://u:canary@h/d")
        monkeypatch.setenv("GPT4REC_K", "12")
        assert run(["config", "show", "--json"]) == 0
        shown = json.loads(capsys.readouterr().out)
        assert shown["DATABASE_URL"] == "postgresql://u:***@h/d"
        assert shown["GPT4REC_K"] == 12
        assert run(["config", "show"]) == 0
        table = capsys.readouterr().out
        assert "canary" not in table
        assert "live recipe: unknown, since the database is not read" in table
        assert re.search(r"GPT4REC_K +12 +set", table)
        assert re.search(r"GPT4REC_MAX_FAILURES +3 +default", table)

    def test_env_file(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "mine.env").write_text("GPT4REC_K=31\nGPT4REC_LOG_LEVEL=ERROR\n")
        assert run(["--env-file", "mine.env", "config", "show", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["GPT4REC_K"] == 31

    def test_a_missing_env_file(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["--env-file", "none.env", "config", "show"]) == 2
        assert "there is no file 'none.env'" in capsys.readouterr().err

    def test_wrong_setting(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("GPT4REC_K", "many")
        assert run(["config", "show"]) == 2
        assert "GPT4REC_K is 'many'" in capsys.readouterr().err

    def test_a_group_works_without_the_top_command(self) -> None:
        result = CliRunner().invoke(config, ["show", "--json"])
        assert result.exit_code == 0
        assert json.loads(result.output)["GPT4REC_K"] == 10


class TestProcess:
    def test_unreachable_database_is_code_4_without_its_password(self) -> None:
        done = gpt4rec("runs", "list", DATABASE_URL="postgresql://u:canary@127.0.0.1:1/d")
        assert done.returncode == 4
        assert done.stdout == ""
        assert done.stderr.startswith("Error: ")
        assert done.stderr.count("\n") == 1
        assert "canary" not in done.stderr

    def test_missing_url_names_variable_and_way_out(self) -> None:
        done = gpt4rec("runs", "list")
        assert (done.returncode, done.stdout) == (2, "")
        assert "DATABASE_URL is not set" in done.stderr
        assert "gpt4rec stack up" in done.stderr

    def test_termination_lets_the_command_clean_up(self) -> None:
        code = (
            "import time\n"
            "from gpt4rec_es.cli.main import cli, main\n"
            "@cli.command()\n"
            "def wait():\n"
            "    try:\n"
            "        print('ready', flush=True)\n"
            "        time.sleep(60)\n"
            "    finally:\n"
            "        print('cleaned up')\n"
            "main()\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code, "wait"], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.terminate()
            assert process.stdout.read() == "cleaned up\n"
        assert process.returncode == 143

    def test_a_reader_that_stops_early_sees_no_error(self) -> None:
        command = f"{sys.executable} -m gpt4rec_es config show | true"
        done = subprocess.run(
            ["/bin/bash", "-c", command], capture_output=True, text=True, check=False, timeout=120
        )
        assert done.stderr == ""
