"""Settings: what a value is and where it comes from.

Order, strongest first: flag, ``NITROCTL_*`` variable, project file (``./nitroctl.toml``), user file
(``$XDG_CONFIG_HOME/nitroctl/config.toml``), system file (``/etc/nitroctl/config.toml``), default.
A project file comes with a checkout, so it may not name a program to run, and one that others can write is ignored
with a note. Trust roots are never a setting: they are named on the command line, where a reviewer sees them.
"""

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nitroctl.errors import CannotAnswer

_FILE_LIMIT: Final = 256 * 1024
PROJECT_FILE: Final = "nitroctl.toml"
SYSTEM_FILE: Final = "/etc/nitroctl/config.toml"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting that exists.

    ``program``: nitroctl executes, or believes about the host, what it names: no project file may set it.
    """

    name: str
    default: str
    meaning: str
    choices: Sequence[str] = ()
    program: bool = False

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"NITROCTL_{self.name.upper()}"


SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("nitro_cli", "nitro-cli", "the nitro-cli program: a name looked up on PATH, or a path", program=True),
    Setting("records", "measurements.json", "the file of recorded measurements"),
    Setting("allocator", "/etc/nitro_enclaves/allocator.yaml", "the allocator's configuration file"),
    Setting(
        "host_root", "/", "where /sys and /dev of the host are looked up (another root only for tests)", program=True
    ),
    Setting("lock_dir", "/run/lock", "directory of the locks that keep two nitroctl from one host resource"),
    Setting("progress", "auto", "live status of long work", choices=("auto", "plain", "none")),
)
_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class Origin:
    """A value and where it comes from: ``flag``, ``NITROCTL_RECORDS``, a file's path, or ``default``."""

    value: str
    origin: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting's value with its origin, notes about what was ignored, and the files looked at.

    ``files``: weakest first, each path with ``read``, ``ignored`` or ``absent``.
    """

    values: Mapping[str, Origin]
    notes: Sequence[str] = ()
    files: Sequence[tuple[str, str]] = ()

    def __getitem__(self, name: str) -> str:
        """Return the value of the setting ``name``."""
        return self.values[name].value


def load(
    flags: Mapping[str, str | None] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Settings:
    """Return the settings in force. ``flags``: values from the command line, None where not given.

    Raises CannotAnswer ``settings.file`` for a file that is not TOML, or has an unknown setting or a wrong type;
    ``settings.value`` for a value that is not one of the choices.
    """
    environ = os.environ if environ is None else environ
    values = {setting.name: Origin(setting.default, "default") for setting in SETTINGS}
    notes: list[str] = []
    files: list[tuple[str, str]] = []
    for path, project, required in _files(environ, directory or _here()):
        if not required and not os.path.exists(path):  # noqa: PTH110  (pathlib's raises where one may not look)
            files.append((str(path), "absent"))
            continue
        noted = len(notes)
        for name, value in _read(path, project=project, notes=notes).items():
            values[name] = Origin(value, str(path))
        files.append((str(path), "ignored" if len(notes) > noted else "read"))
    for setting in SETTINGS:
        if environ.get(setting.variable):
            values[setting.name] = Origin(environ[setting.variable], setting.variable)
        flag = (flags or {}).get(setting.name)
        if flag is not None:
            values[setting.name] = Origin(flag, "flag")
    for name, found in values.items():
        choices = _BY_NAME[name].choices
        if choices and found.value not in choices:
            raise CannotAnswer(
                f"{found.origin}: {name} is not one of {', '.join(choices)}: {found.value!r}", "settings.value"
            )
    return Settings(values, tuple(notes), tuple(files))


def _here() -> Path:
    """Return the current directory; one that is gone has no project file in it, wherever it was."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path()


def _files(environ: Mapping[str, str], directory: Path) -> list[tuple[Path, bool, bool]]:
    """Return the configuration files, weakest first; whether each is a project file, and whether it must be there."""
    if environ.get("NITROCTL_CONFIG"):
        return [(Path(environ["NITROCTL_CONFIG"]), False, True)]
    home = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME") or "/nonexistent", ".config")  # noqa: PTH118
    user = Path(home) / "nitroctl/config.toml"
    return [(Path(SYSTEM_FILE), False, False), (user, False, False), (directory / PROJECT_FILE, True, False)]


def _read(path: Path, *, project: bool, notes: list[str]) -> dict[str, str]:
    import tomllib  # noqa: PLC0415  (only when there is a file)

    from nitroctl import safefile  # noqa: PLC0415

    with safefile.open_regular(str(path)) as stream:
        status = os.fstat(stream.fileno())
        if project and (status.st_mode & stat.S_IWOTH or status.st_uid not in (0, os.geteuid())):
            notes.append(f"{path} is ignored: it belongs to, or can be written by, another user")
            return {}
        content = stream.read(_FILE_LIMIT)
    try:
        document = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CannotAnswer(f"{path}: not TOML: {error}", "settings.file") from error
    for name, value in document.items():
        if name not in _BY_NAME:
            raise CannotAnswer(
                f"{path}: unknown setting {name!r}", "settings.file", ["nitroctl config show lists the settings"]
            )
        if not isinstance(value, str):
            raise CannotAnswer(f"{path}: {name} is not a string", "settings.file", [f'write {name} = "…"'])
        if project and _BY_NAME[name].program:
            raise CannotAnswer(
                f"{path}: {name} names a program, which a project file may not do",
                "settings.file",
                [f"set it in the user's configuration file or in {_BY_NAME[name].variable}"],
            )
    return dict(document)
