# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes before any change of files: to be alone with them, and to undo what an interrupted run did to them.

This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import os
from typing import Any, FrozenSet, Iterable, Iterator, List, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import journal as _journal
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import locks as _directory_lock
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.attributes import FileAttributes


@contextlib.contextmanager
def alone(paths: Iterable[str], beside: Iterable[str] = ()) -> Iterator[List[_journal.Journal]]:
    """Within the context nobody else changes these files; yields the journals of interrupted runs that did.

    The other files of those journals are locked as well, and the directories ``beside``. Raises ``InstallError`` as
    ``_directory_lock.locked`` does.
    """
    paths = list(paths)
    directories = [os.path.dirname(path) for path in paths] + list(beside)
    while True:
        with _directory_lock.locked(directories, exclusive=True):
            journals = _journal.find(paths)
            more = [one for journal in journals for one in journal.directories() if one not in directories]
            if not more:
                yield journals
                return
        # Released in between: two runs that each wait for what the other holds would wait for ever.
        directories.extend(more)


def foresee(module: Any, journals: List[_journal.Journal]) -> Tuple[_journal.View, FrozenSet[str]]:
    """The files as ``undo`` would make them, and those that it would alter; warns that they are not so yet."""
    if journals:
        module.warn("An earlier run was interrupted; a real run would first put its files back")
    view = _journal.View(journals)
    return view, _altered(view, journals)


def undo(module: Any, journals: List[_journal.Journal], attributes: FileAttributes) -> FrozenSet[str]:
    """Put back what these journals tell of, and warn of it; the files that this altered.

    Raises ``InstallError`` where that cannot be done.
    """
    altered = _altered(_journal.View(journals), journals)
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
    return altered


def sweep(paths: Iterable[str]) -> None:
    """Remove what interrupted runs left beside these files, there being no journal; raises ``InstallError``."""
    try:
        _journal.sweep(paths)
    except OSError as exc:
        raise InstallError(
            f"{exc.filename or 'A file'}, left by an interrupted run, could not be removed: {exc.strerror}."
        ) from exc


def _altered(view: _journal.View, journals: Iterable[_journal.Journal]) -> FrozenSet[str]:
    paths = (entry.path for journal in journals for entry in journal.entries)
    return frozenset(path for path in paths if view.alters(path))
