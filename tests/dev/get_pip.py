# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let ansible-test make its virtual environments where the host that serves its pip bootstrap can't be reached.

ansible-test downloads ``get-pip-VERSION.py`` into a cache once. Only when that download fails, a stand-in is put there:
it runs the same pip release out of its own wheel, which comes from the package index like everything else.
"""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

STAND_IN = """\
# Stand-in for get-pip.py: runs pip {version} from its wheel. Written because the original could not be downloaded.
import sys
sys.path.insert(0, {wheel!r})
from pip._internal.cli.main import main
wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
sys.exit(main(["install", "--upgrade", "--force-reinstall"] + wanted))
"""


def pip_release(ansible_test: pathlib.Path) -> str:
    """Return the release of pip that this ansible-test bootstraps (for Python 3)."""
    text = (ansible_test / "_internal/python_requirements.py").read_text(encoding="utf-8")
    match = re.search(r"^\s+pip='([0-9.]+)',", text, re.MULTILINE)
    if not match:
        raise LookupError(f"{ansible_test} does not say which pip it bootstraps")
    return match.group(1)


def url(ansible_test: pathlib.Path, release: str) -> str:
    """Return where this ansible-test downloads the bootstrap of pip ``release`` from."""
    text = (ansible_test / "_util/target/setup/requirements.py").read_text(encoding="utf-8")
    match = re.search(r"'(https://[^']+get-pip-%s\.py)' % pip_version", text)
    if not match:
        raise LookupError(f"{ansible_test} does not say where its pip bootstrap is")
    return match.group(1) % release


def provide(ansible_test: pathlib.Path) -> None:
    """Put the bootstrap that ``ansible_test`` (the package's folder) wants into its cache, unless it is there."""
    release = pip_release(ansible_test)
    cache = pathlib.Path("~/.ansible/test/cache").expanduser()
    script = cache / f"get_pip_{release.replace('.', '_')}.py"
    if script.exists():
        return
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        fresh = pathlib.Path(scratch, script.name)
        try:
            with urllib.request.urlopen(url(ansible_test, release), timeout=20) as answer:  # noqa: S310 - fixed https URL
                fresh.write_bytes(answer.read())
        except (OSError, urllib.error.URLError) as problem:
            sys.stdout.write(f"ansible-test's pip bootstrap can't be downloaded ({problem}); using pip's own wheel\n")
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
            subprocess.run([*pip, "--dest", scratch, f"pip=={release}"], check=True)
            wheel = cache / f"pip-{release}-py3-none-any.whl"
            shutil.move(str(next(pathlib.Path(scratch).glob("pip-*.whl"))), wheel)
            fresh.write_text(STAND_IN.format(version=release, wheel=str(wheel)), encoding="utf-8")
        fresh.replace(script)


if __name__ == "__main__":
    import ansible_test  # type: ignore[import-untyped]

    provide(pathlib.Path(next(iter(ansible_test.__path__))))
