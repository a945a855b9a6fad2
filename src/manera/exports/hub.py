"""Upload an exported folder to a hub that speaks Hugging Face's protocol."""

import os
from pathlib import Path
from typing import NamedTuple

from manera.errors import ExportError

TOKEN, ENDPOINT = "HF_TOKEN", "HF_ENDPOINT"


class Planned(NamedTuple):
    """One file of a repository."""

    path: str
    size: int


def planned(folder: Path) -> list[Planned]:
    """List what an upload would send."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [Planned(path.relative_to(folder).as_posix(), path.stat().st_size) for path in files]


def upload(folder: Path, repository: str, public: bool) -> str:
    """Create a repository where there is none, upload a folder as one commit, and return the commit's address.

    Raises ExportError, also where what is meant to be private would become public.
    """
    from httpx2 import HTTPError
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    from huggingface_hub.utils.tqdm import disable_progress_bars

    token = os.environ.get(TOKEN)
    if not token:
        raise ExportError(f"no {TOKEN} in the environment", f"{TOKEN}=hf_... manera export ... --to hub")
    disable_progress_bars()
    constants.HF_HUB_DISABLE_TELEMETRY = True  # else it asks huggingface.co, wherever the endpoint is
    api = HfApi(endpoint=os.environ.get(ENDPOINT), token=token)
    try:
        name = api.create_repo(repository, private=not public, exist_ok=True).repo_id
        if not public and not api.model_info(name).private:
            raise ExportError(f"{name} is public already, and nothing was uploaded", "--public, or another repository")
        commit = api.upload_folder(repo_id=name, folder_path=folder, commit_message="Export from manera")
    except HFValidationError as error:
        raise ExportError(f"{repository!r} cannot name a repository", "--repository USER/NAME") from error
    except (HfHubHTTPError, HTTPError, RuntimeError, OSError) as error:
        raise ExportError(f"{api.endpoint} refused {repository}: {_reason(error)}", _hint(error)) from error
    return str(commit.commit_url)


def _status(error: BaseException) -> int | None:
    """Find the status that a hub answered with; a large file's error is the cause of another."""
    response = getattr(error, "response", None) or getattr(error.__cause__, "response", None)
    return None if response is None else int(response.status_code)


def _reason(error: Exception) -> str:
    status = _status(error)
    return type(error.__cause__ or error).__name__ if status is None else f"status {status}"


def _hint(error: Exception) -> str:
    if _status(error) in (401, 403):
        return f"{TOKEN} has to be a token with write access to that repository"
    return f"check the connection and {ENDPOINT}"
