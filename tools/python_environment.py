"""Which Python has these packages?

A tool that needs packages has a virtual environment of its own, made where it is not there as it should be. Tests start tools
side by side: one makes the environment, the others wait.
"""
import fcntl
import hashlib
import pathlib
import shutil
import subprocess
import sys


class NotInstalled(Exception):
    """Packages that could not be installed, and pip's reason."""


def python_of(environment: pathlib.Path, requirements: pathlib.Path) -> pathlib.Path:
    """The Python of the virtual environment in the folder `environment`, with the packages of the file `requirements`."""
    stamp, python = environment / "complete", environment / "bin" / "python"
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    environment.parent.mkdir(parents=True, exist_ok=True)
    with open(environment.with_name(environment.name + ".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.is_file() and stamp.read_text() == wanted:
            return python
        print(f"installing {requirements.name} into {environment}", file=sys.stderr)
        shutil.rmtree(environment, ignore_errors=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", requirements]
        for command in ([sys.executable, "-m", "venv", environment], pip):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise NotInstalled((done.stderr or done.stdout).strip())
        stamp.write_text(wanted)
    return python
