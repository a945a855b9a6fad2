"""One client against a real server that fails in every way."""

import json
import os
import subprocess
import sys
from email.utils import formatdate
from pathlib import Path
from threading import Event

import pytest

from faulty_server import Asked, Reply, Waiting, completion, fault, faulty
from manera.errors import GenerationError
from manera.generation.answers import answered, models, open_answers
from manera.generation.server import MAX_TRIES, Answer, Ask, Server, address
from manera.generation.spending import Price, Purse, read_prices
from manera.records import Message


def asks(count: int, max_tokens: int = 20) -> list[Ask]:
    return [Ask((Message("user", f"text {number}"),), max_tokens, 0.7, number) for number in range(count)]


def ask_all(
    server: Server, asked: list[Ask], path: Path, clock: Waiting | None = None, purse: Purse | None = None
) -> dict[int, Answer]:
    with open_answers(path) as kept:
        return dict(answered(server, asked, kept, 4, purse, clock or Waiting()))


def test_every_question_is_answered_once_and_no_more_at_once_than_is_allowed(tmp_path: Path) -> None:
    with faulty(lambda asked, _: completion(asked["messages"][0]["content"].upper())) as server:
        found = ask_all(server.server, asks(40), tmp_path / "answers.jsonl")
        assert {place: answer.text for place, answer in found.items()} == {n: f"TEXT {n}" for n in range(40)}
        assert len(server.asked) == 40
        assert 1 <= server.most_at_once <= 4
        assert set(server.authorizations) == {"Bearer a-key"}
        assert {asked["seed"] for asked in server.asked} == set(range(40))


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
def test_what_another_time_would_do_is_asked_again_later_and_later(tmp_path: Path, status: int) -> None:
    clock = Waiting()
    with faulty(lambda _, number: completion("at last") if number == 3 else fault(status)) as server:
        found = ask_all(server.server, asks(1), tmp_path / "answers.jsonl", clock)
    assert found[0].text == "at last"
    first, second, third = clock.waits
    assert 0.5 <= first <= 1 <= second <= 2 <= third <= 4


def test_a_connection_that_breaks_off_is_made_again(tmp_path: Path) -> None:
    with faulty(lambda _, number: completion("whole") if number else Reply("", 0)) as server:
        assert ask_all(server.server, asks(1), tmp_path / "answers.jsonl")[0].text == "whole"
        assert len(server.asked) == 2


@pytest.mark.parametrize("in_words", [False, True], ids=["seconds", "date"])
def test_nobody_asks_before_the_server_allows_it(tmp_path: Path, in_words: bool) -> None:
    clock = Waiting()
    until = formatdate(clock.time + 120, usegmt=True) if in_words else "120"

    def respond(_: Asked, number: int) -> Reply:
        return completion("now") if number >= 4 else fault(429, headers=(("retry-after", until),))

    with faulty(respond) as server:
        assert len(ask_all(server.server, asks(1), tmp_path / "answers.jsonl", clock)) == 1
    assert clock.waits[0] >= 119


def test_a_server_that_stays_out_of_order_is_named_after_some_tries(tmp_path: Path) -> None:
    with faulty(lambda *_: fault(503, "the graphics card has fallen off the bus")) as server:
        with pytest.raises(GenerationError, match="answers 503: the graphics card has fallen") as caught:
            ask_all(server.server, asks(1), tmp_path / "answers.jsonl")
        assert len(server.asked) == MAX_TRIES
    assert "what was answered is kept" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("reply", "message", "hint"),
    [
        (fault(401, "Incorrect API key"), "answers 401: Incorrect API key", "OPENAI_API_KEY"),
        (fault(402, "Payment Required"), "answers 402", "no money left"),
        (fault(429, "You exceeded your quota", code="insufficient_quota"), "your quota", "no money left"),
        (fault(429, headers=(("retry-after", "86400"),)), "answers 429", "Retry-After: 86400"),
        (fault(404, "no such model"), "answers 404: no such model", "GET /v1/models"),
        (fault(400, "the prompt is too long"), "the prompt is too long", "GET /v1/models"),
        (Reply("", 307, (("location", "https://elsewhere.example"),)), "answers 307", "https://elsewhere.example"),
        (Reply("<!doctype html><title>Sign in</title>", 200, (("content-type", "text/html"),)), "web page", "/v1"),
        (Reply("{}]", 200), "no document of OpenAI's API", "/v1"),
        (Reply('{"choices": []}', 200), "no document of OpenAI's API", "/v1"),
        (Reply("<html>Forbidden</html>", 403, ()), "answers 403, with a web page", "OPENAI_API_KEY"),
    ],
    ids=[
        "wrong-key",
        "payment",
        "quota",
        "tomorrow",
        "model",
        "refused",
        "moved",
        "html",
        "broken-json",
        "no-choice",
        "html-403",
    ],
)
def test_what_no_waiting_mends_is_named_at_once(tmp_path: Path, reply: Reply, message: str, hint: str) -> None:
    with faulty(lambda *_: reply) as server:
        with pytest.raises(GenerationError, match=message) as caught:
            ask_all(server.server, asks(1), tmp_path / "answers.jsonl")
        assert len(server.asked) == 1
    assert hint in str(caught.value.hint)


def test_a_key_that_a_server_repeats_is_not_told(tmp_path: Path) -> None:
    with faulty(lambda *_: fault(401, "Incorrect API key sk-of-a-test")) as server:
        asked = server.server._replace(key="sk-of-a-test")
        with pytest.raises(GenerationError, match="Incorrect API key …"):
            ask_all(asked, asks(1), tmp_path / "answers.jsonl")


def test_a_server_that_is_not_there_is_named_without_waiting(tmp_path: Path) -> None:
    clock = Waiting()
    with pytest.raises(GenerationError, match="cannot be reached"):
        ask_all(Server("http://127.0.0.1:9", None, "OPENAI_API_KEY", "m"), asks(1), tmp_path / "answers.jsonl", clock)
    assert clock.waits == []


def test_a_server_that_knows_other_words_is_asked_in_those(tmp_path: Path) -> None:
    def respond(asked: Asked, _: int) -> Reply:
        for name in ("seed", "max_tokens"):
            if name in asked:
                return fault(400, f"Unsupported parameter: '{name}'", param=name)
        return completion("understood")

    with faulty(respond) as server:
        assert len(ask_all(server.server, asks(8), tmp_path / "answers.jsonl")) == 8
        assert server.asked[-1].keys() == {"model", "temperature", "stream", "max_completion_tokens", "messages"}


def test_what_was_answered_is_not_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with faulty(lambda _, number: completion(f"answer {number}")) as server:
        first = ask_all(server.server, asks(5), path)
        assert ask_all(server.server, asks(5), path) == first
        assert len(server.asked) == 5
        again = [*asks(5), Ask((Message("user", "text 0"),), 20, 0.7, seed=99)]
        assert len(ask_all(server.server, again, path)) == 6
        assert len(server.asked) == 6
    assert path.stat().st_mode & 0o777 == 0o600
    line = json.loads(path.read_text("utf-8").splitlines()[0])
    assert (line["model"], line["prompt_tokens"], line["completion_tokens"]) == ("a-model", 10, 5)
    assert len(line["prompt_sha256"]) == 64


def test_a_line_that_was_cut_off_is_asked_anew_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with faulty(lambda _, number: completion(f"answer {number}")) as server:
        ask_all(server.server, asks(3), path)
        path.write_bytes(path.read_bytes()[:-9])
        assert len(ask_all(server.server, asks(3), path)) == 3
        assert len(server.asked) == 4
    with open_answers(path) as kept:
        assert len(kept) == 3


def test_a_file_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text("notes\nmore\n", "utf-8")
    with pytest.raises(GenerationError, match="holds what is no answer"), open_answers(path):
        pass
    assert path.read_text("utf-8") == "notes\nmore\n"


PROGRAM = """
import sys
from pathlib import Path
from manera.generation.answers import answered, open_answers
from manera.generation.server import Ask, Server
from manera.records import Message
asks = [Ask((Message("user", f"text {number}"),), 20, 0.7, number) for number in range(12)]
with open_answers(Path(sys.argv[1])) as kept:
    list(answered(Server(sys.argv[2], None, "KEY", "a-model"), asks, kept, 2))
"""


def test_a_process_that_is_killed_pays_for_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    killed, over = Event(), Event()

    def respond(_: Asked, number: int) -> Reply:
        if number == 7 and not over.is_set():
            running.kill()
            running.wait()
            killed.set()
        return completion(f"answer {number}")

    with faulty(respond) as server:
        command = [sys.executable, "-c", PROGRAM, str(path), server.url]
        running = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
        assert killed.wait(300)
        over.set()
        before = len(server.asked)
        kept = path.read_bytes().count(b"\n")
        assert kept >= before - 2  # those under way when it died
        subprocess.run(command, check=True)
        assert len(server.asked) - before == 12 - kept


def test_where_one_fails_those_under_way_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    together = Event()

    def respond(_: Asked, number: int) -> Reply:
        if number == 3:
            together.set()
            return fault(401)
        assert together.wait(30)
        return completion("late but paid")

    with faulty(respond) as server:
        with pytest.raises(GenerationError, match="401"):
            ask_all(server.server, asks(20), path)
        assert 4 <= len(server.asked) < 20
    assert path.read_bytes().count(b"late but paid") == len(server.asked) - 1


def test_no_question_begins_that_could_go_over_the_budget(tmp_path: Path) -> None:
    price = Price(input=0.0, output=1_000_000.0)  # one a token
    path = tmp_path / "answers.jsonl"
    purse = Purse(price, budget=130.0)
    with faulty(lambda *_: completion("paid", written=10)) as server:
        with pytest.raises(GenerationError, match="the budget of 130 is used up") as caught:
            ask_all(server.server, asks(50, max_tokens=20), path, purse=purse)
        assert "--budget" in str(caught.value.hint)
        money = purse.spent().money
        assert money is not None
        assert 50 <= money <= 130
        assert money == 10 * len(server.asked)


def test_a_budget_needs_a_price() -> None:
    with pytest.raises(GenerationError, match="a budget needs prices"):
        Purse(None, 1.0)


@pytest.mark.parametrize(
    "text", ["models = 3", '[models."m"]\ninput = "much"\noutput = 1', "= ="], ids=["shape", "word", "toml"]
)
def test_prices_that_are_none_are_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(GenerationError, match="is no file of prices") as caught:
        read_prices(path)
    assert '[models."NAME"]' in str(caught.value.hint)


def test_what_is_served_is_listed() -> None:
    with faulty(lambda *_: completion(""), models=("one", "two")) as server:
        assert models(server.server) == ["one", "two"]


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1"),
        ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1"),
        ("https://api.example/openai/v1", "https://api.example/openai/v1"),
        ("https://api.example/v1beta", "https://api.example/v1beta"),
    ],
)
def test_an_address_may_be_written_with_its_version_or_without(url: str, found: str) -> None:
    assert address(url) == found


def test_an_answer_without_a_count_of_tokens_is_guessed(tmp_path: Path) -> None:
    body = json.dumps({"choices": [{"message": {"content": "twelve bytes"}, "finish_reason": "stop"}]})
    with faulty(lambda *_: Reply(body)) as server:
        answer = ask_all(server.server, asks(1), tmp_path / "answers.jsonl")[0]
    assert (answer.tokens_counted, answer.completion_tokens) == (False, 3)


def test_a_refusal_that_the_server_names_is_told_as_one(tmp_path: Path) -> None:
    body = json.dumps({"choices": [{"message": {"content": None, "refusal": "I cannot"}, "finish_reason": "stop"}]})
    with faulty(lambda *_: Reply(body)) as server:
        answer = ask_all(server.server, asks(1), tmp_path / "answers.jsonl")[0]
    assert (answer.finish_reason, answer.text) == ("refusal", "I cannot")
