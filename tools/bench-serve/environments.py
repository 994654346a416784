"""Which Python packages do the services run on?

Each service has a virtual environment of its own, since MLServer holds FastAPI back at a version of 2025, and one that
cannot be installed must not take the others along. Versions are pinned in requirements/, which needs Python 3.11 or newer.
"""
import hashlib
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


class NotInstalled(Exception):
    """Packages that could not be installed, and pip's reason."""


def python_of(folder, requirements):
    """The Python of the environment `requirements`, which is made in `folder` where it is not there as it should be."""
    file = HERE / "requirements" / f"{requirements}.txt"
    environment = folder / requirements
    python, stamp = environment / "bin" / "python", environment / "complete"
    wanted = hashlib.sha256(file.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return python
    print(f"installing {requirements} into {environment}", file=sys.stderr)
    shutil.rmtree(environment, ignore_errors=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", file]
    for command in ([sys.executable, "-m", "venv", environment], pip):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotInstalled((done.stderr or done.stdout).strip())
    stamp.write_text(wanted)
    return python


def version(requirements, package):
    """The pinned version of a package."""
    lines = (HERE / "requirements" / f"{requirements}.txt").read_text().splitlines()
    return next(line.partition("==")[2] for line in lines if line.lower().startswith(f"{package}=="))
