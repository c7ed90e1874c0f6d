# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders that are to be there: made with the mode that is meant, whatever the umask.

This module util is private to the collection. It can have breaking changes at any time.
"""

import os
from typing import List

from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Folder, Places


def made(places: Places, subject: str, path: str, modes: List[int], new: List[str]) -> Folder:
    """The folder of an absolute path, made if it is not there, and those above it.

    ``modes`` are those of the last folders of the path that are made, outermost first; what is above them gets the
    first. What was made is added to ``new``. Raises ``InstallError`` as ``Places.folder`` does, and ``OSError``.
    """
    found = places.folder(subject, path)
    if found is not None:
        return found
    path = os.path.normpath(path)
    above = made(places, subject, os.path.dirname(path), modes[:-1] or modes[:1], new)
    name = os.path.basename(path)
    umask = os.umask(0)
    try:
        os.mkdir(name, modes[-1], dir_fd=above.descriptor)
        new.append(path)
    except FileExistsError:
        pass
    finally:
        os.umask(umask)
    return places.open(above, name)


def unmade(places: Places, new: List[str]) -> None:
    """Remove folders that ``made`` made, as far as nothing is in them."""
    for path in reversed(new):
        above = places.folder("directory", os.path.dirname(path))
        try:
            if above is not None:
                os.rmdir(os.path.basename(path), dir_fd=above.descriptor)
        except OSError:
            return
    del new[:]
