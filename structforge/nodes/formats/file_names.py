"""Names of files: where a path lies in an organization's folder, however its letters are composed.

Invariant: a path never leads out of the folder, neither by `..` nor through a link; a file that is there is found
by each way of writing its name in Unicode.
"""

import re
import stat
import unicodedata
from pathlib import Path, PurePosixPath

from structforge.domain.errors import sentence
from structforge.sdk import NodeError

_DRIVE = re.compile(r"[A-Za-z]:\\")


def normal_name(path: str) -> str:
    """Return a path as it is stored: letters with their accents composed (NFC)."""
    return unicodedata.normalize("NFC", path)


def entry_of(folder: Path, name: str) -> Path:
    """Return the entry of a folder that has this name: as it is written, composed, or decomposed.

    Files that were put there by other programs may be decomposed. The place may not exist.
    """
    spellings = dict.fromkeys((name, normal_name(name), unicodedata.normalize("NFD", name)))
    for spelling in spellings:
        place = folder / spelling
        try:
            place.lstat()
        except (OSError, ValueError):
            continue
        return place
    return folder / normal_name(name)


def file_path(folder: Path, path: str) -> Path:
    """Return where `path` lies in the organization's folder.

    Raises: NodeError `file.path` when it is absolute or leads out of the folder, `file.link` when a part of
    it is a symbolic link, `file.not_found`.
    """
    parts = _parts(path)
    place = folder
    for part in parts:
        place = entry_of(place, part)
        try:
            mode = place.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NodeError(
                "file.not_found",
                sentence("There is no file `{path}`.", path=path),
                where="parameters.file",
                hint=_neighbours(folder, path),
            ) from error
        except (OSError, ValueError) as error:
            raise _no_path(path) from error
        if stat.S_ISLNK(mode):
            raise NodeError(
                "file.link",
                sentence("`{path}` leads over a symbolic link, which is not followed.", path=path),
                where="parameters.file",
                hint="Put the file itself into the folder.",
            )
    return place


def _parts(path: str) -> tuple[str, ...]:
    parts = PurePosixPath(path.replace("\\", "/")).parts
    if "\0" in path or _DRIVE.match(path) or not parts or ".." in parts or parts[0].startswith("/"):
        raise _no_path(path)
    return parts


def _no_path(path: str) -> NodeError:
    return NodeError(
        "file.path",
        sentence("`{path}` is not a path inside the organization's files.", path=path[:200]),
        where="parameters.file",
        hint="Give a path such as `data/orders.csv`: no leading `/`, no `..`.",
    )


def _neighbours(folder: Path, path: str) -> str:
    """Tell which files there are instead, so that a typing error is seen at once."""
    parent = folder / PurePosixPath(path).parent
    try:
        names = sorted(entry.name for entry in parent.iterdir() if entry.is_file() and not entry.is_symlink())
    except (OSError, ValueError):
        return sentence("There is no folder `{folder}` either.", folder=PurePosixPath(path).parent)
    if not names:
        return "The folder holds no files."
    shown = ", ".join(f"`{name}`" for name in names[:10])
    return sentence("The folder holds: {names}.", names=shown + (" …" if len(names) > 10 else ""))
