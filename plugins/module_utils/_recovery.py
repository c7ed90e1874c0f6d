# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes before any change of files: to be alone with them, and to undo what an interrupted run did to them.

This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import os
from typing import Any, Iterable, Iterator, List

from ansible_collections.certfleet.collectssl.plugins.module_utils import _directory_lock, _journal
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._file_attributes import FileAttributes


@contextlib.contextmanager
def alone(paths: Iterable[str]) -> Iterator[List[_journal.Journal]]:
    """Within the context nobody else changes these files; yields the journals of interrupted runs that did.

    The other files of those journals are locked as well. Raises ``InstallError`` as ``_directory_lock.locked`` does.
    """
    paths = list(paths)
    directories = [os.path.dirname(path) for path in paths]
    while True:
        with _directory_lock.locked(directories, exclusive=True):
            journals = _journal.find(paths)
            more = [one for journal in journals for one in journal.directories() if one not in directories]
            if not more:
                yield journals
                return
        # Released in between: two runs that each wait for what the other holds would wait for ever.
        directories.extend(more)


def undo(module: Any, journals: Iterable[_journal.Journal], attributes: FileAttributes) -> None:
    """Put back what these journals tell of, and warn of it; raises ``InstallError`` where that cannot be done."""
    for journal in journals:
        paths = ", ".join(entry.path for entry in journal.entries)
        try:
            aside = _journal.undo(journal, attributes.put_flags)
        except OSError as exc:
            raise InstallError(
                f"An earlier run was interrupted while it changed {paths}, and putting them back failed at "
                f"{exc.filename}: {exc.strerror}. Mend that and run again."
            ) from exc
        module.warn(f"An earlier run was interrupted; these files were put back first: {paths}")
        for name in aside:
            module.warn(f"A file was replaced by hand after that run; the one it had replaced is kept as {name}")


def sweep(paths: Iterable[str]) -> None:
    """Remove what interrupted runs left beside these files, there being no journal; raises ``InstallError``."""
    try:
        _journal.sweep(paths)
    except OSError as exc:
        raise InstallError(
            f"{exc.filename or 'A file'}, left by an interrupted run, could not be removed: {exc.strerror}."
        ) from exc
