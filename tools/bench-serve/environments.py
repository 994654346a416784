"""Which Python packages do the services run on?

Each service has a virtual environment of its own, since MLServer holds FastAPI back at a version of 2025, and one that
cannot be installed must not take the others along. Versions are pinned in requirements/, which needs Python 3.11 or newer.
"""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import python_environment  # noqa: E402
from python_environment import NotInstalled  # noqa: E402, F401


def python_of(folder, requirements):
    """The Python of the environment `requirements`, which is made in `folder` where it is not there as it should be."""
    return python_environment.python_of(folder / requirements, HERE / "requirements" / f"{requirements}.txt")


def version(requirements, package):
    """The pinned version of a package."""
    lines = (HERE / "requirements" / f"{requirements}.txt").read_text().splitlines()
    return next(line.partition("==")[2] for line in lines if line.lower().startswith(f"{package}=="))
