"""Files of an export that say who is who in the others."""

import os
from dataclasses import replace
from pathlib import Path

from manera.sources.files import SourceFile


def near(file: SourceFile, place: str) -> SourceFile | None:
    """Return a file near another one, None where there is no such file.

    place: relative to the other's folder. It does not lead out of the folder or archive that the person named.
    """
    path = Path(os.path.normpath(file.path.parent / place))
    if file.root is None or not path.is_relative_to(file.root):
        return None
    found = replace(file, path=path, source=path.name, work=path.stem)
    if file.archive is None:
        return found if path.is_file() else None
    if not path.is_relative_to(file.archive.path):
        return None
    inside = path.relative_to(file.archive.path).as_posix()
    return found if any(member.name == inside and not member.fault for member in file.archive.members) else None
