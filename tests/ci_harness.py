"""CI systems that are not ones: what the templates use of GitHub Actions and of GitLab CI, and nothing more.

The steps' scripts run for real, in bash as the runner starts it, in a workspace that is a checkout. What the templates
do not use is refused, so that a template cannot rely on something that nothing here models. Of installing, docker and
Amazon Linux there are stand-ins (:class:`Machine`). Modelled after the documentation: GitHub, "Workflow syntax",
"Metadata syntax", "Expressions" and "Workflow commands"; GitLab, "CI/CD YAML syntax reference". Where it says less than
a runner does, after actions/runner: a line is a command after leading space, also on stderr and in the older form.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

#: What a runner calls obeyed; other words between colons are text.
_COMMANDS: Final = (
    *("add-mask", "add-matcher", "add-path", "debug", "echo", "endgroup", "error", "group", "internal-set-repo-path"),
    *("notice", "remove-matcher", "save-state", "set-env", "set-output", "stop-commands", "warning"),
)
_BASH: Final = ("bash", "-e")
_BASH_BY_NAME: Final = ("bash", "--noprofile", "--norc", "-eo", "pipefail")


class Refused(Exception):
    """The file uses what is not modelled here, or what the CI system itself would refuse."""


@dataclass(frozen=True)
class Command:
    """A workflow command that the runner would obey."""

    name: str
    properties: Mapping[str, str]
    text: str


@dataclass
class Step:
    """What became of one step."""

    name: str
    status: int
    stdout: str = ""
    stderr: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    summary: str = ""

    @property
    def outcome(self) -> str:
        return "failure" if self.status else "success"

    @property
    def commands(self) -> list[Command]:
        """What the runner would obey, of stdout and then of stderr."""
        lines = (self.stdout + "\n" + self.stderr).replace("\r", "\n").split("\n")
        return [command for line in lines if (command := command_in(line))]


@dataclass
class Job:
    """What became of a job: the steps that ran. A composite action is one step, with those inside it before it."""

    steps: list[Step]

    @property
    def passed(self) -> bool:
        return all(step.status == 0 for step in self.steps)

    def __getitem__(self, name: str) -> Step:
        (step,) = [step for step in self.steps if step.name == name]
        return step

    @property
    def annotations(self) -> list[Command]:
        found = [command for step in self.steps for command in step.commands]
        return [command for command in found if command.name in ("error", "warning", "notice")]

    @property
    def summary(self) -> str:
        return "".join(step.summary for step in self.steps)


# -- the machine


class Machine:
    """A runner's machine: a workspace, and stand-ins for what the templates reach outside of it for.

    ``python3 -m venv`` makes a directory whose pip notes what it is asked for and installs this nitroctl in its place.
    ``docker build`` remembers the directory; ``docker run`` of Amazon Linux runs its script here, with the volume where
    it is, a dnf that does nothing and the stand-in nitro-cli, which builds from the directory that docker built from.
    """

    def __init__(self, workspace: Path, directory: Path) -> None:
        self.workspace = workspace
        self.directory = directory
        self.temporary = directory / "temp"
        self.bin = directory / "bin"
        self.temporary.mkdir(parents=True)
        self.bin.mkdir()
        python = shlex.quote(sys.executable)
        self._program("nitroctl.program", f'exec {python} -P -m nitroctl "$@"')
        self._program(
            "python3",
            f'[ "$1 $2" = "-m venv" ] || exec {python} "$@"\n'
            f'mkdir -p "$3/bin" && cp {self.bin}/pip.program "$3/bin/python"',
        )
        self._program(
            "pip.program",
            f'for word; do echo "$word"; done >> {directory}/installed\n'
            f'cp {self.bin}/nitroctl.program "$(dirname "$0")/nitroctl"',
        )
        self._program("docker", f'exec {python} -P -m tests.ci_harness docker {directory} "$@"')

    def _program(self, name: str, script: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    @property
    def installed(self) -> list[str]:
        """The words that pip was run with, of all runs."""
        path = self.directory / "installed"
        return path.read_text().splitlines() if path.exists() else []

    def run(self, argv: Sequence[str], variables: Mapping[str, str], path: Sequence[str] = ()) -> tuple[int, str, str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
        environment["PATH"] = os.pathsep.join([*path, str(self.bin), environment["PATH"]])
        done = subprocess.run(
            argv,
            cwd=self.workspace,
            env={**environment, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=240,
            check=False,
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()


def _docker(directory: Path, argv: Sequence[str]) -> int:
    """Be docker, as far as the workflow uses it; 125 for anything else, as docker itself says."""
    memory = directory / "docker-built"
    match list(argv):
        case ["build", "--tag", tag, context]:
            memory.write_text(f"{tag}\n{Path(context).resolve()}\n")
            return 0
        case ["run", "--rm", "--volume", socket, "--volume", volume, "amazonlinux:2023", "sh", "-euc", script]:
            tag, context = memory.read_text().split()
            outside, _, inside = volume.partition(":")
            if socket.split(":")[0] != "/var/run/docker.sock" or not inside:
                return 125
            amazon = directory / "amazon"
            amazon.mkdir(exist_ok=True)
            nitro_cli = f"{shlex.quote(sys.executable)} -P -m nitroctl.standin.nitro_cli"
            for name, text in {
                "dnf": "exit 0",
                "nitro-cli": f'case "$*" in *"--docker-uri {tag} "*) ;; *) exit 1 ;; esac\n'
                f'exec {nitro_cli} "$@" --docker-dir {shlex.quote(context)}',
            }.items():
                (amazon / name).write_text(f"#!/bin/sh\n{text}\n")
                (amazon / name).chmod(0o755)
            environment = os.environ | {"PATH": f"{amazon}{os.pathsep}{os.environ['PATH']}"}
            words = ["sh", "-euc", script.replace(f"{inside}/", f"{outside}/")]
            return subprocess.run(words, env=environment, check=False).returncode
        case _:
            sys.stderr.write(f"docker: not modelled: {shlex.join(argv)}\n")
            return 125


# -- GitHub Actions


class GitHub:
    """Runs the one job of a workflow. ``event``: the ``github.event`` context."""

    def __init__(self, machine: Machine, event: Mapping[str, Any]) -> None:
        self._machine = machine
        self._event = event
        self._path: list[str] = []
        self._files = 0

    def run(self, workflow: str) -> Job:
        """Run the workflow at that path of the workspace, its steps in order up to the first that fails."""
        document = _load(self._machine.workspace / workflow)
        _only(document, "name", "on", "permissions", "env", "jobs")
        env = {name: _text(value) for name, value in document.get("env", {}).items()}
        ((_, job),) = document["jobs"].items()
        _only(job, "runs-on", "timeout-minutes", "steps")
        ran = Job([])
        contexts = {"env": env, "github": {"event": self._event}, "steps": {}}
        self._steps(job["steps"], contexts, env, ran, where=None)
        return ran

    def _steps(
        self,
        steps: Sequence[Mapping[str, Any]],
        contexts: dict[str, Any],
        env: Mapping[str, str],
        ran: Job,
        where: Path | None,
    ) -> bool:
        """Run steps, of a job or (``where``: its directory) of a composite action; whether all of them passed."""
        for number, step in enumerate(steps):
            _only(step, "name", "id", "uses", "with", "run", "shell", "env")
            name = step.get("name", step.get("uses", f"step {number + 1}"))
            own = {key: expanded(value, contexts) for key, value in step.get("env", {}).items()}
            if "uses" in step:
                done = self._use(name, step, contexts, ran)
            else:
                done = self._script(name, step, {**env, **own}, where)
            if done is None:
                continue
            ran.steps.append(done)
            if "id" in step:
                contexts["steps"][step["id"]] = {"outputs": dict(done.outputs), "outcome": done.outcome}
            if done.status:
                return False
        return True

    def _use(self, name: str, step: Mapping[str, Any], contexts: dict[str, Any], ran: Job) -> Step | None:
        given = {key: expanded(value, contexts) for key, value in step.get("with", {}).items()}
        if step["uses"] == "actions/checkout@v4":
            if given != {"persist-credentials": "false", "fetch-depth": "0"}:
                raise Refused(f"a checkout with {given}")
            return None  # the workspace is one
        if not step["uses"].startswith("./"):
            raise Refused(f"uses: {step['uses']}")
        directory = self._machine.workspace / step["uses"]
        action = _load(directory / "action.yml")
        _only(action, "name", "description", "inputs", "outputs", "runs")
        _only(action["runs"], "using", "steps")
        if action["runs"]["using"] != "composite":
            raise Refused(f"using: {action['runs']['using']}")
        inputs = {}
        for key, described in action["inputs"].items():
            _only(described, "description", "required", "default")
            inputs[key] = given.pop(key, _text(described.get("default", "")))
        if given:
            raise Refused(f"{step['uses']} has no input {', '.join(given)}")
        inside = {"inputs": inputs, "steps": {}, "env": contexts["env"], "github": contexts["github"]}
        for one in action["runs"]["steps"]:
            if "run" in one and "shell" not in one:
                raise Refused("a composite action's run without a shell")
        passed = self._steps(action["runs"]["steps"], inside, contexts["env"], ran, where=directory)
        outputs = {}
        for key, described in action["outputs"].items():
            _only(described, "description", "value")
            outputs[key] = expanded(described["value"], inside)
        return Step(name, 0 if passed else ran.steps[-1].status, outputs=outputs)

    def _script(self, name: str, step: Mapping[str, Any], variables: Mapping[str, str], where: Path | None) -> Step:
        if "${{" in step["run"]:
            raise Refused(f"{name}: an expression in a script is how scripts are injected")
        if step.get("shell", "bash") != "bash":
            raise Refused(f"shell: {step['shell']}")
        self._files += 1
        place = self._machine.temporary
        files = {kind: place / f"{kind}-{self._files}" for kind in ("output", "path", "env", "step_summary")}
        for path in files.values():
            path.write_text("")
        script = place / f"script-{self._files}.sh"
        script.write_text(step["run"])
        runner = {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(self._machine.workspace),
            "RUNNER_TEMP": str(place),
            **{f"GITHUB_{kind.upper()}": str(path) for kind, path in files.items()},
            **({"GITHUB_ACTION_PATH": str(where)} if where else {}),
        }
        shell = _BASH_BY_NAME if "shell" in step else _BASH
        status, stdout, stderr = self._machine.run([*shell, str(script)], {**variables, **runner}, self._path)
        self._path[:0] = files["path"].read_text().splitlines()
        if files["env"].read_text():
            raise Refused("a step that sets variables for others")
        outputs = dict(parsed_outputs(files["output"].read_text()))
        return Step(name, status, stdout, stderr, outputs, files["step_summary"].read_text())


def command_in(line: str) -> Command | None:
    """Return what the runner obeys in a line of the log, in today's form or in the older one."""
    today = re.match(r"\s*::(.*?)::(.*)", line, re.DOTALL)
    older = re.search(r"##\[(.*?)\](.*)", line, re.DOTALL)
    for found, comma in ((today, ","), (older, ";")):
        if found:
            name, _, rest = found[1].partition(" ")
            pairs = [pair.partition("=") for pair in rest.strip().split(comma) if "=" in pair]
            properties = {key: _unescaped(value) for key, _, value in pairs}
            if name.lower() in _COMMANDS:
                return Command(name.lower(), properties, _unescaped(found[2]))
    return None


def _unescaped(text: str) -> str:
    for token, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(token, character)
    return text


def parsed_outputs(text: str) -> Iterator[tuple[str, str]]:
    """Read a ``$GITHUB_OUTPUT`` file: ``name=value``, or ``name<<WORD``, lines, ``WORD``."""
    lines = iter(text.split("\n"))
    for line in lines:
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if heredoc >= 0 and (equals < 0 or heredoc < equals):
            name, _, word = line.partition("<<")
            value = []
            while (part := next(lines)) != word:
                value.append(part)
            yield name, "\n".join(value)
        elif equals >= 0:
            name, _, one = line.partition("=")
            yield name, one
        else:
            raise Refused(f"a line that is no output: {line!r}")


def expanded(value: object, contexts: Mapping[str, Any]) -> str:
    """Return a scalar with each ``${{ expression }}`` in it evaluated."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: _text(_evaluated(found[1], contexts)), _text(value))


def _evaluated(expression: str, contexts: Mapping[str, Any]) -> object:
    """Evaluate names of contexts, with ``||`` between them; nothing else is known here. What is absent is empty."""
    value: object = ""
    for operand in expression.split("||"):
        if not re.fullmatch(r"\s*[a-z]+(\.[A-Za-z_][A-Za-z0-9_-]*)+\s*", operand):
            raise Refused(f"expression: {expression}")
        first, *names = operand.strip().split(".")
        if first not in contexts:
            raise Refused(f"context: {first}")
        value = contexts[first]
        for name in names:
            value = value.get(name, "") if isinstance(value, Mapping) else ""
        if value:
            return value
    return value


# -- GitLab CI


@dataclass
class GitLabJob:
    """What became of a GitLab job. ``reports``: the artifacts that are reports, by kind, as far as they are there."""

    status: int
    stdout: str
    stderr: str
    reports: Mapping[str, Path]


def gitlab(machine: Machine, file: str, job: str, predefined: Mapping[str, str]) -> GitLabJob:
    """Run the script of one job of a GitLab CI file, all its lines in one shell. ``predefined``: CI_ variables."""
    document = _load(machine.workspace / file)
    described = document[job]
    _only(described, "stage", "image", "variables", "script", "artifacts")
    _only(described["artifacts"], "when", "reports")
    variables = {name: _text(value) for name, value in described["variables"].items()}
    script = machine.temporary / f"{job}.sh"
    script.write_text("\n".join(["set -eo pipefail", *map(_line, described["script"])]) + "\n")
    status, stdout, stderr = machine.run(
        ["bash", str(script)], {"CI": "true", "GITLAB_CI": "true", **variables, **predefined}
    )
    kept = described["artifacts"]["when"] == "always" or status == 0
    reports = {kind: machine.workspace / name for kind, name in described["artifacts"]["reports"].items()}
    return GitLabJob(status, stdout, stderr, {kind: path for kind, path in reports.items() if kept and path.exists()})


def _line(value: object) -> str:
    if not isinstance(value, str):
        raise Refused(f"a script line that YAML does not read as text: {value!r}")
    return value


# -- files


def _load(path: Path) -> dict[str, Any]:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict):
        raise Refused(f"{path}: not a mapping")
    return document


def _only(mapping: Mapping[str, object], *known: str) -> None:
    unknown = [key for key in mapping if key not in known]
    if unknown:
        raise Refused(f"not modelled: {', '.join(map(str, unknown))}")


def _text(value: object) -> str:
    """Return a YAML scalar as the text that a runner makes of it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise Refused(f"not a scalar: {value!r}")


if __name__ == "__main__":
    if sys.argv[1:2] != ["docker"]:
        sys.exit(2)
    sys.exit(_docker(Path(sys.argv[2]), sys.argv[3:]))
