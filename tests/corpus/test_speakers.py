import pytest

from manera.corpus.manifest import Ledger, Manifest, Source, Speaker
from manera.corpus.speakers import choose_speaker
from manera.errors import CorpusError

ANNA = Speaker("user1", "Anna K.", ("Аня", "Nyuta"), 12408, 90000, 20000, 3)
BORIS = Speaker("user2", "Boris", ("Nyuta",), 9911, 70000, 15000, 3)
OTHER_BORIS = Speaker("user30", "boris", (), 5, 40, 7, 1)


def manifest(*speakers: Speaker, owner: str | None = None) -> Manifest:
    return Manifest(1, (Source("result.json", "", 1),), Ledger(1, 1, {}), speakers, owner, {}, "")


@pytest.mark.parametrize("requested", ["Anna K.", "anna  k.", "аня", "user1", "1", "USER1"])
def test_a_speaker_answers_to_names_present_and_former_and_to_the_id(requested: str) -> None:
    assert choose_speaker(manifest(ANNA, BORIS), requested) == ANNA


def test_without_a_request_the_obvious_one_is_chosen() -> None:
    assert choose_speaker(manifest(ANNA), None) == ANNA
    assert choose_speaker(manifest(ANNA, BORIS, owner="user2"), None) == BORIS


def test_without_an_obvious_one_the_people_are_listed() -> None:
    with pytest.raises(CorpusError) as caught:
        choose_speaker(manifest(ANNA, BORIS), None)
    assert caught.value.message == '2 people speak in result.json (12,408 by "Anna K.", 9,911 by "Boris")'
    assert caught.value.hint == 'say whose manner to learn: manera train corpus --speaker "Anna K."'


def test_an_unknown_name_gets_the_closest_as_a_command() -> None:
    with pytest.raises(CorpusError) as caught:
        choose_speaker(manifest(BORIS, ANNA), "Anya", "manera train talk")
    assert caught.value.message == ('no utterances by "Anya" in result.json (9,911 by "Boris", 12,408 by "Anna K.")')
    assert caught.value.hint == 'manera train talk --speaker "Anna K."'


@pytest.mark.parametrize(("requested", "count"), [("Boris", 2), ("Nyuta", 2)])
def test_a_name_of_two_people_is_told_apart_by_ids(requested: str, count: int) -> None:
    with pytest.raises(CorpusError, match=f"the name of {count} speakers: user") as caught:
        choose_speaker(manifest(ANNA, BORIS, OTHER_BORIS), requested)
    assert "--speaker user" in (caught.value.hint or "")


def test_a_present_name_goes_before_a_former_one() -> None:
    namesake = Speaker("user3", "Nyuta", (), 1, 1, 1, 1)
    assert choose_speaker(manifest(ANNA, namesake), "nyuta") == namesake
