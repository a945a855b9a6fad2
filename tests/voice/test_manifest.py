"""A voice's manifest, its name, and the one base that it fits."""

import json
import unicodedata
from pathlib import Path

import msgspec
import pytest

from manera.bases import base_model
from manera.errors import ModelError
from manera.voice.folder import MANIFEST, voice_folder, voices_folder
from manera.voice.manifest import list_voices, read_voice, require_base, write_voice
from tiny import tiny_voice


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))


def written(base: Path, *names: str) -> None:
    for name in names:
        voice_folder(name).mkdir(parents=True)
        write_voice(tiny_voice(base, name, "post", "Напиши пост: {topic}"), voice_folder(name))


def test_a_manifest_comes_back_as_it_was_and_opens_in_an_editor(tiny_base: Path) -> None:
    written(tiny_base, "anna")
    assert read_voice("anna") == tiny_voice(tiny_base, "anna", "post", "Напиши пост: {topic}")
    assert "Напиши пост" in (voice_folder("anna") / MANIFEST).read_text("utf-8")


def test_voices_are_listed_by_name(tiny_base: Path) -> None:
    assert list(list_voices()) == []
    written(tiny_base, "boris", "anna")
    assert [voice.name for voice in list_voices()] == ["anna", "boris"]


def test_a_voice_that_is_not_there_is_told_from_those_that_are(tiny_base: Path) -> None:
    with pytest.raises(ModelError, match="no voice 'clara'") as caught:
        read_voice("clara")
    assert caught.value.hint == "make one: manera up PATH"
    written(tiny_base, "boris", "anna")
    with pytest.raises(ModelError) as caught:
        read_voice("clara")
    assert caught.value.hint == "voices: anna, boris"


def test_a_broken_manifest_is_named(tiny_base: Path) -> None:
    written(tiny_base, "anna")
    (voice_folder("anna") / MANIFEST).write_text("{}", "utf-8")
    with pytest.raises(ModelError, match=r"manera\.json is not a voice's manifest"):
        read_voice("anna")


def test_fillers_are_the_owners_to_add_and_hold_more_than_blanks(tiny_base: Path) -> None:
    written(tiny_base, "anna")
    manifest = voice_folder("anna") / MANIFEST
    assert read_voice("anna").fillers == ()
    manifest.write_text(
        manifest.read_text("utf-8").replace('"fillers": []', '"fillers": ["как бы", "в целом"]'), "utf-8"
    )
    assert read_voice("anna").fillers == ("как бы", "в целом")
    manifest.write_text(manifest.read_text("utf-8").replace('"как бы"', '" "'), "utf-8")
    with pytest.raises(ModelError, match="is not a voice's manifest"):
        read_voice("anna")


def test_a_manifest_from_before_there_were_fillers_is_read(tiny_base: Path) -> None:
    written(tiny_base, "anna")
    manifest = voice_folder("anna") / MANIFEST
    older = {name: value for name, value in json.loads(manifest.read_text("utf-8")).items() if name != "fillers"}
    manifest.write_text(json.dumps(older), "utf-8")
    assert read_voice("anna") == tiny_voice(tiny_base, "anna", "post", "Напиши пост: {topic}")


def test_a_name_is_the_same_however_its_letters_are_composed(home: Path) -> None:
    assert voice_folder(unicodedata.normalize("NFD", "йожик")) == voice_folder("йожик")


@pytest.mark.parametrize("name", ["anna", "аня", "anna-2", "a", "3d", "anna.v2", "анна_к", "x" * 64, "console"])
def test_a_name_of_letters_digits_dots_and_dashes_is_a_folder_among_the_voices(name: str) -> None:
    assert voice_folder(name).parent == voices_folder()


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            ".",
            "..",
            "../anna",
            "a/b",
            "a\\b",
            "/etc",
            ".hidden",
            "-rf",
            "_a",
            "a b",
            "a\n",
            "a\0",
            "x" * 65,
            "anna.",
        ),
        *("con", "NUL", "aux.txt", "Com1", "lpt9.v2"),
    ],
)
def test_a_name_that_could_be_another_place_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="cannot name a voice"):
        voice_folder(name)


def test_a_voice_fits_only_the_base_it_was_trained_on(tiny_base: Path) -> None:
    voice, base = tiny_voice(tiny_base, "anna"), base_model.read(tiny_base)
    require_base(voice, base)
    require_base(voice, msgspec.structs.replace(base, context_length=77))
    for part in ("id", "revision", "vocabulary_sha256"):
        with pytest.raises(ModelError, match=f"trained on .* differ in {part}") as caught:
            require_base(voice, msgspec.structs.replace(base, **{part: "other"}))
        assert caught.value.hint == "use it with the base for en,ru, or train it again"


def test_a_manifest_of_the_first_format_is_read(tiny_base: Path) -> None:
    written(tiny_base, "anna")
    manifest = voice_folder("anna") / MANIFEST
    older = json.loads(manifest.read_bytes())
    recipe = older.pop("recipe")
    settings = {"rank": 4, "alpha": 4.0, "max_length": 192, "compile": "on", "minutes": None, "device": "auto"}
    manifest.write_text(json.dumps(older | {"rank": 4, "alpha": 4.0, "seed": 20, "settings": settings, "format": 1}))
    read = read_voice("anna").recipe
    assert (read.rank, read.alpha, read.seed) == (recipe["rank"], recipe["alpha"], recipe["seed"])
    assert (read.max_length, read.compiled, read.minutes) == (192, True, None)
