"""Teachers: nothing lost, nothing paid twice, and an error that says what to do."""

import asyncio
import gzip
import json
import socket
import threading
import time
from contextlib import contextmanager, suppress

import httpx
import pytest

from synthkit import teacher as module
from synthkit.teacher import (
    FunctionTeacher,
    HTTPTeacher,
    LMTeacher,
    RecordedTeacher,
    Teacher,
    TeacherError,
    export_prompts,
    import_answers,
    judge,
)
from synthkit.teacher.replies import answer_log, ask

PROMPTS = [f"prompt {i}" for i in range(6)]


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


class Server:
    """A stand-in for a chat server: answers `re: <prompt>`, after the failures it is given."""

    def __init__(self, *failures):
        self.failures = list(failures)  # responses or exceptions, given first
        self.asked, self.headers, self.bodies = [], [], []
        self.lock = threading.Lock()

    def __call__(self, request):
        with self.lock:
            body = json.loads(request.content)
            prompt = body["messages"][0]["content"]
            self.asked.append(prompt)
            self.headers.append(request.headers)
            self.bodies.append(body)
            failure = self.failures.pop(0) if self.failures else None
        if isinstance(failure, Exception):
            raise failure
        return failure or reply(f"re: {prompt}")

    def teacher(self, **options):
        options = {"backoff": 0.0, "concurrency": 1, "temperature": 0.0} | options
        return HTTPTeacher("small", transport=httpx.MockTransport(self), **options)


def reply(text, **usage):
    usage = usage or {"prompt_tokens": 3, "completion_tokens": 2}
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return httpx.Response(200, json={"choices": [choice], "usage": usage})


def test_every_teacher_follows_the_protocol():
    class LM:
        name = "tiny"

        def generate(self, prompts, *, progress, row_ids, temperature):
            assert temperature == 0.5 and len(set(row_ids)) == len(prompts)
            return [prompt.upper() for prompt in prompts]

    for teacher in (FunctionTeacher(str.upper, "upper"), LMTeacher(LM(), temperature=0.5)):
        assert isinstance(teacher, Teacher)
        assert teacher.complete(["a", "b"]) == ["A", "B"]
    assert isinstance(HTTPTeacher("m"), Teacher)


@pytest.mark.parametrize("prompts", ["one text", ["fine", 3]])
def test_prompts_are_a_list_of_texts(prompts):
    with pytest.raises(TypeError, match="text"):
        FunctionTeacher(str, "echo").complete(prompts)


@pytest.mark.parametrize("given", [{"api_key": "secret"}, {}])
def test_answers_come_back_in_order_and_the_request_is_as_asked(given, monkeypatch):
    monkeypatch.setenv("SYNTHKIT_API_KEY", "other" if given else "secret")
    server = Server()
    teacher = server.teacher(concurrency=4, seed=7, max_tokens=9, **given)
    assert teacher.complete(PROMPTS) == [f"re: {prompt}" for prompt in PROMPTS]
    assert server.headers[0]["authorization"] == "Bearer secret"
    assert {k: server.bodies[0][k] for k in ("model", "temperature", "max_tokens", "seed")} == {
        "model": "small",
        "temperature": 0.0,
        "max_tokens": 9,
        "seed": 7,
    }


def test_requests_run_side_by_side():
    arrived, most = 0, 0

    async def handler(request):
        nonlocal arrived, most
        most = max(most, arrived := arrived + 1)
        await asyncio.sleep(0.05)
        arrived -= 1
        return reply("together")

    teacher = HTTPTeacher("m", concurrency=3, transport=httpx.MockTransport(handler))
    assert teacher.complete(PROMPTS) == ["together"] * 6
    assert most == 3


@pytest.mark.parametrize(
    "failure",
    [
        httpx.Response(429, text="slow down"),
        httpx.Response(503, text="starting"),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.Response(200, text="<html>proxy page</html>"),
        httpx.Response(200, json={"choices": []}),
        httpx.Response(200, json=["not", "a", "chat"]),
    ],
    ids=["429", "503", "connect", "timeout", "not json", "no choices", "a list"],
)
def test_a_failure_that_may_pass_is_retried(failure):
    server = Server(failure)
    teacher = server.teacher()
    assert teacher.complete(["a"]) == ["re: a"]
    assert len(server.asked) == 2 and teacher.usage.retries == 1


def test_waits_grow_and_honour_retry_after(monkeypatch):
    waits = []

    async def pause(self, seconds, run):
        waits.append(seconds)

    monkeypatch.setattr(HTTPTeacher, "_pause", pause)
    busy = [httpx.Response(503) for _ in range(3)]
    dated = httpx.Response(503, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})
    slow = httpx.Response(429, headers={"Retry-After": "33"})
    never = httpx.Response(429, headers={"Retry-After": "86400"})
    server = Server(*busy, slow, dated, never)
    assert server.teacher(backoff=1.0, retries=6).complete(["a"]) == ["re: a"]
    for wait, longest in zip(waits[:3], (1, 2, 4)):
        assert longest / 2 <= wait <= longest
    assert waits[3] == 33
    assert 8 <= waits[4] <= 16  # a date in the past asks for nothing
    assert waits[5] == module.LONGEST_WAIT


def test_the_cache_is_written_at_once_and_never_asked_twice(tmp_path):
    cache = tmp_path / "answers.jsonl"
    first = Server()
    first.teacher(cache=cache).complete(PROMPTS[:4])
    assert len(lines(cache)) == 4
    second = Server()
    teacher = second.teacher(cache=cache)
    assert teacher.complete(PROMPTS) == [f"re: {prompt}" for prompt in PROMPTS]
    assert second.asked == PROMPTS[4:]
    assert (teacher.usage.cached, teacher.usage.requests) == (4, 2)


def test_other_options_or_another_model_are_asked_anew(tmp_path):
    cache = tmp_path / "answers.jsonl"
    server = Server()
    server.teacher(cache=cache).complete(["a"])
    server.teacher(cache=cache, max_tokens=5).complete(["a"])
    HTTPTeacher(
        "big", temperature=0.0, cache=cache, transport=httpx.MockTransport(server)
    ).complete(["a"])
    assert server.asked == ["a", "a", "a"]
    server.teacher(cache=cache, base_url="http://elsewhere/v1").complete(["a"])
    assert len(server.asked) == 3  # the address is not part of an answer


def test_equal_prompts_get_answers_of_their_own_unless_greedy(tmp_path):
    greedy, warm = Server(), Server()
    greedy.teacher().complete(["a", "a", "b"])
    assert sorted(greedy.asked) == ["a", "b"]
    cache = tmp_path / "answers.jsonl"
    warm.teacher(temperature=1.0, cache=cache).complete(["a", "a", "b"])
    assert sorted(warm.asked) == ["a", "a", "b"]
    again = Server()
    again.teacher(temperature=1.0, cache=cache).complete(["a", "a", "a"])
    assert again.asked == ["a"]


def test_a_run_that_died_half_way_resumes(tmp_path):
    cache = tmp_path / "answers.jsonl"
    down = Server(*[reply(f"re: {prompt}") for prompt in PROMPTS[:3]], *[httpx.Response(500)] * 9)
    with pytest.raises(TeacherError) as failure:
        down.teacher(cache=cache, retries=2).complete(PROMPTS)
    message = str(failure.value)
    assert "3 of 6 answers are safe in the cache answers.jsonl" in message
    assert "http://localhost:8000/v1/chat/completions after 3 attempts: HTTP 500" in message
    up = Server()
    assert up.teacher(cache=cache).complete(PROMPTS) == [f"re: {prompt}" for prompt in PROMPTS]
    assert up.asked == PROMPTS[3:]


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("kept", [False, True])
def test_a_stopped_run_says_once_where_its_answers_are(tmp_path, cached, kept):
    server = Server(*[reply(f"re: {prompt}") for prompt in PROMPTS[:3]], *[httpx.Response(500)] * 9)
    teacher = server.teacher(retries=0, cache=tmp_path / "cache.jsonl" if cached else None)
    path = tmp_path / "answers.jsonl" if kept else None
    with pytest.raises(TeacherError) as failure, answer_log(path) as log:
        ask(teacher, PROMPTS, log=log)
    message = str(failure.value)
    assert ("safe in the cache cache.jsonl" in message) == cached
    assert ("3 answers are safe in answers.jsonl" in message) == kept
    assert ("3 answers are on no disk" in message) == (not cached and not kept)
    assert "memory" not in message


def test_a_dead_server_stops_the_whole_run_early():
    server = Server(*[httpx.ConnectError("connection refused")] * 99)
    teacher = server.teacher(retries=1, concurrency=2)
    with pytest.raises(TeacherError, match=r"ConnectError: connection refused.* 0 of 50 answers"):
        teacher.complete([f"p{i}" for i in range(50)])
    assert len(server.asked) <= 6
    with pytest.raises(TeacherError, match="give cache=PATH"):
        teacher.complete(["p0"])
    server = Server(*[httpx.Response(200, text='{"choices": [{"mess')] * 9)
    with pytest.raises(TeacherError, match=r"not a chat completion: .*mess"):
        server.teacher(retries=2).complete(["a"])
    assert len(server.asked) == 3


def test_a_refusal_is_not_retried_and_shows_no_key():
    refused = {"error": "max_tokens is too large for key secret"}
    server = Server(httpx.Response(400, json=refused))
    with pytest.raises(TeacherError, match=r"'small' with HTTP 400: .*too large") as failure:
        server.teacher(api_key="secret").complete(["a"])
    assert len(server.asked) == 1 and "secret" not in str(failure.value)
    with pytest.raises(TeacherError, match="SYNTHKIT_API_KEY"):
        Server(httpx.Response(401)).teacher().complete(["a"])
    with pytest.raises(TeacherError, match="ends in /v1"):
        Server(httpx.Response(404)).teacher().complete(["a"])


ODD = {
    "HTTP 400": httpx.Response(400, text="content policy"),
    "HTTP 413": httpx.Response(413),
    "not json": httpx.Response(200, text="<html>"),
    "nested": httpx.Response(200, text="[" * 100_000),
    "parts of no kind": httpx.Response(200, json={"choices": [{"message": {"content": [3]}}]}),
    "too large": httpx.Response(200, content=gzip.compress(b" " * (40 << 20))),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_is_wrong_with_one_prompt_fails_that_prompt_alone(odd, tmp_path):
    packed = {"Content-Encoding": "gzip"} if odd == "too large" else {}

    def answer(request):
        prompt = json.loads(request.content)["messages"][0]["content"]
        if prompt != "p3":
            return reply(f"re: {prompt}")
        given = ODD[odd]
        return httpx.Response(given.status_code, headers=packed, stream=Slow(given.content, 0))

    cache = tmp_path / "c.jsonl"
    teacher = HTTPTeacher(
        "m", cache=cache, retries=1, backoff=0, transport=httpx.MockTransport(answer)
    )
    with pytest.warns(UserWarning, match="1 of 20 prompts got no answer"):
        answers = teacher.complete([f"p{i}" for i in range(20)])
    assert answers == [f"re: p{i}" if i != 3 else "" for i in range(20)]
    assert judge(answers[3]) == "failed" and teacher.usage.failed == 1
    assert len(lines(cache)) == 19


def test_many_failures_in_a_row_end_the_run():
    server = Server(*[reply("x")] * 3, *[httpx.Response(400, text="no credit")] * 99)
    with pytest.raises(TeacherError, match=r"8 prompts in a row failed.*3 of 50 answers are held"):
        server.teacher().complete([f"p{i}" for i in range(50)])
    assert len(server.asked) == 11


@pytest.mark.parametrize(
    ("body", "answer", "tokens"),
    [
        ('{"choices":[{"message":{"content":"fine \\ud83d"}}]}', "fine \ufffd", (0, 0)),
        ('{"choices":[{"message":{"content":"x"}}],"usage":[1]}', "x", (0, 0)),
        (
            '{"choices":[{"message":{"content":"x"},"finish_reason":NaN}],'
            '"usage":{"prompt_tokens":"3","completion_tokens":2}}',
            "x",
            (0, 2),
        ),
        ('{"choices":[{"message":{"content":[{"type":"text","text":"x"}]}}]}', "x", (0, 0)),
    ],
)
def test_odd_but_readable_replies_are_read(body, answer, tokens, tmp_path):
    teacher = Server(httpx.Response(200, text=body)).teacher(cache=tmp_path / "c.jsonl")
    assert teacher.complete(["a"]) == [answer]
    assert (teacher.usage.prompt_tokens, teacher.usage.completion_tokens) == tokens
    assert lines(tmp_path / "c.jsonl")[0]["answer"] == answer


def test_empty_answers_are_never_kept(tmp_path):
    cache = tmp_path / "c.jsonl"
    first = Server(reply(None), reply(" ")).teacher(cache=cache)
    assert first.complete(["a", "b"]) == ["", " "] and first.usage.empty == 2
    row = {"key": first._jobs(["b"], [0])[0][0], "answer": ""}  # by an older release
    write(cache, [row])
    assert Server().teacher(cache=cache).complete(["a", "b"]) == ["re: a", "re: b"]


def test_a_server_that_refuses_max_tokens_is_told_the_newer_name():
    told = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    server = Server(httpx.Response(400, json={"error": {"message": told}}))
    assert server.teacher(max_tokens=9, retries=0).complete(PROMPTS) == [
        f"re: {prompt}" for prompt in PROMPTS
    ]
    names = [[name for name in body if "tokens" in name] for body in server.bodies]
    assert names == [["max_tokens"], *[["max_completion_tokens"]] * 6]


@pytest.mark.parametrize("key", ["sk-SECRET\n", " sk-SECRET\t"])
def test_a_key_is_stripped_and_never_shown(key):
    server = Server(httpx.ConnectError("cannot send sk-SECRET"))
    teacher = server.teacher(api_key=key, retries=0)
    with pytest.raises(TeacherError) as failure:
        teacher.complete(["a"])
    shown = [str(failure.value), repr(teacher), repr(vars(teacher)), repr(failure.value.__cause__)]
    assert not any("SECRET" in text for text in shown)
    teacher.complete(["b"])
    assert server.headers[-1]["authorization"] == "Bearer sk-SECRET"
    with pytest.raises(ValueError, match="place 9") as failure:
        HTTPTeacher("m", api_key="sk-SECRET\nX-Other: 1")
    assert "SECRET" not in str(failure.value)


def test_a_key_that_a_server_repeats_is_hidden_before_its_reply_is_cut():
    for answer in (
        httpx.Response(400, text="x" * 190 + " sk-SECRET"),
        httpx.Response(200, text="y" * 190 + " sk-SECRET"),
    ):
        with pytest.raises(TeacherError) as failure:
            Server(answer).teacher(api_key="sk-SECRET", retries=0).complete(["a"])
        assert "sk-" not in str(failure.value)


def test_a_password_in_the_address_is_sent_and_never_shown(caplog):
    caplog.set_level("INFO")
    server = Server(httpx.Response(400, text="not Basic dTpQQFNT"))
    teacher = server.teacher(base_url="http://u:P%40SS@host/v1/", retries=0)
    with pytest.raises(TeacherError) as failure:
        teacher.complete(["a"])
    assert server.headers[-1]["authorization"] == "Basic dTpQQFNT"  # u:P@SS
    assert "http://host/v1/chat/completions" in caplog.text + repr(teacher)
    shown = caplog.text + str(failure.value) + repr(teacher) + repr(vars(teacher))
    assert "P%40SS" not in shown and "P@SS" not in shown and "dTpQQFNT" not in shown
    with pytest.raises(ValueError) as refused:
        HTTPTeacher("m", "http://u:P@SS@host:99999")
    assert "SS" not in str(refused.value)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_ends_the_run_and_takes_no_key_along(status):
    server = Server(httpx.Response(status, headers={"Location": "http://elsewhere"}))
    with pytest.raises(TeacherError, match="give the one that answers as base_url"):
        server.teacher(api_key="k").complete(["a", "b"])
    assert server.asked == ["a"]


class Slow(httpx.AsyncByteStream):
    """A body that comes in pieces, with a pause before each."""

    def __init__(self, body, pause):
        self.body, self.pause = body, pause

    async def __aiter__(self):
        for start in range(0, len(self.body), 1 << 16):
            await asyncio.sleep(self.pause)
            yield self.body[start : start + (1 << 16)]


@contextmanager
def dripping(start):
    """A server that sends `start` at once, and then a byte now and again, for ever."""
    listener = socket.create_server(("127.0.0.1", 0))
    gone = threading.Event()

    def serve():
        with listener, listener.accept()[0] as connection:
            connection.recv(1 << 16)
            connection.sendall(start)
            while not gone.wait(0.02):
                connection.sendall(b" ")

    def quiet():
        with suppress(OSError):
            serve()

    thread = threading.Thread(target=quiet)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    gone.set()
    thread.join()


STARTS = {
    "status": b"HTTP/1.1 200",
    "headers": b"HTTP/1.1 200 OK\r\nX-Slow:",
    "body": b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n",
}


@pytest.mark.parametrize("start", STARTS)
def test_the_timeout_is_that_of_the_whole_request(start):
    with dripping(STARTS[start]) as address:
        teacher = HTTPTeacher("m", address, timeout=0.3, retries=0)
        started = time.monotonic()
        with pytest.raises(TeacherError, match=r"within 0\.3 seconds"):
            teacher.complete(["a"])
        assert time.monotonic() - started < 3


def test_it_answers_where_an_event_loop_is_running():
    async def cell():
        return Server().teacher().complete(["a"])

    assert asyncio.run(cell()) == ["re: a"]


def test_an_interrupted_run_keeps_what_was_in_flight(tmp_path):
    def interrupt(place, reply):
        raise KeyboardInterrupt

    async def handler(request):
        prompt = json.loads(request.content)["messages"][0]["content"]
        await asyncio.sleep(0 if prompt == PROMPTS[0] else 0.2)
        return reply(f"re: {prompt}")

    cache = tmp_path / "c.jsonl"
    teacher = HTTPTeacher("m", cache=cache, concurrency=3, transport=httpx.MockTransport(handler))
    with pytest.raises(KeyboardInterrupt):
        teacher.complete(PROMPTS, on_answer=interrupt)
    kept = [row["prompt"] for row in lines(cache)]
    assert set(PROMPTS[:3]) <= set(kept) and len(kept) < len(PROMPTS)


def test_a_torn_last_line_is_dropped_and_does_not_spoil_the_next(tmp_path):
    cache = tmp_path / "answers.jsonl"
    Server().teacher(cache=cache).complete(PROMPTS[:3])
    text = cache.read_text()
    cache.write_text(text[: len(text) - 25])
    server = Server()
    answers = server.teacher(cache=cache).complete(PROMPTS[:4])
    assert answers == [f"re: {prompt}" for prompt in PROMPTS[:4]]
    assert server.asked == PROMPTS[2:4] and len(lines(cache)) == 4


def test_usage_counts_tokens_empty_answers_and_what_went_unreported():
    silent = httpx.Response(200, json={"choices": [{"message": {"content": None}}]})
    teacher = Server(reply("x", prompt_tokens=10, completion_tokens=4), silent).teacher()
    assert teacher.complete(["a", "b", "c"]) == ["x", "", "re: c"]
    usage = teacher.usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (13, 6)
    assert (usage.requests, usage.empty, usage.unreported) == (3, 1, 1)
    assert usage.cost(1.0, 10.0) == pytest.approx(73e-6)


IMPOSSIBLE = {
    "model": ("",), "api_key": (b"secret",),
    "base_url": ("localhost:8000", None, "http://", "http://[::1/v1", "http://host:99999"),
    "temperature": (-1,), "max_tokens": (0,), "concurrency": (0,), "retries": (-1, 1.5),
    "timeout": (0, None, "60", float("inf")), "backoff": (-1, float("nan")),
    "options": ({"a"}, float("nan")),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "bad"), [(n, bad) for n, all_ in IMPOSSIBLE.items() for bad in all_]
)
def test_impossible_settings_are_refused_by_name(name, bad):
    with pytest.raises((TypeError, ValueError), match=f"^{name} must"):
        HTTPTeacher(**{"model": "m"} | {"stop" if name == "options" else name: bad})
    for own in ("messages", "stream", "n"):
        with pytest.raises(ValueError, match=f"^{own} is the teacher's own"):
            HTTPTeacher("m", **{own: 2})


@pytest.mark.parametrize(
    ("open_file", "message"),
    [
        (lambda path: HTTPTeacher("m", cache=path), "not an answer cache"),
        (RecordedTeacher, "row 1 has prompt, text"),
    ],
)
def test_a_file_without_answers_is_refused(tmp_path, open_file, message):
    path = write(tmp_path / "other.jsonl", [{"prompt": "a", "text": "hello"}])
    with pytest.raises(ValueError, match=message):
        open_file(path)


def test_a_recording_replays_and_a_cache_is_a_recording(tmp_path):
    upper = FunctionTeacher(str.upper, "upper")
    recorded = RecordedTeacher.record(upper, ["a", "b"], tmp_path / "r.jsonl")
    assert recorded.name == "upper" and recorded.complete(["b", "a", "b"]) == ["B", "A", "B"]
    numbers = iter(range(9))
    server = httpx.MockTransport(lambda request: reply(f"answer {next(numbers)}"))
    teacher = HTTPTeacher("m", cache=tmp_path / "c.jsonl", transport=server, concurrency=1)
    answers = teacher.complete(["a", "a", "b"])
    assert RecordedTeacher(tmp_path / "c.jsonl").complete(["a", "a", "b"]) == answers
    with pytest.raises(TeacherError, match=r"no answer to 1 of 2 prompts.*prompt 1: 'new'"):
        recorded.complete(["a", "new"])


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_exported_prompts_come_back_in_any_order(tmp_path):
    path = tmp_path / "prompts.jsonl"
    export_prompts(PROMPTS, path)
    rows = lines(path)
    assert set(rows[0]) == {"id", "prompt_sha", "prompt"}
    by_id = [{"id": row["id"], "answer": row["prompt"].upper()} for row in rows]
    by_sha = [{"prompt_sha": row["prompt_sha"], "answer": row["prompt"].upper()} for row in rows]
    for answered in (by_id, by_sha[::-1]):
        answers = import_answers(write(tmp_path / "answers.jsonl", answered), PROMPTS)
        assert answers == [prompt.upper() for prompt in PROMPTS]


def test_equal_prompts_take_turns(tmp_path):
    path = tmp_path / "answers.jsonl"
    export_prompts(["a", "a"], path)
    sha = lines(path)[0]["prompt_sha"]
    write(path, [{"prompt_sha": sha, "answer": "1"}, {"prompt_sha": sha, "answer": "2"}])
    assert import_answers(path, ["a", "a"]) == ["1", "2"]


def test_missing_answers_are_none_and_counted(tmp_path):
    path = write(tmp_path / "a.jsonl", [{"id": "x1", "answer": "yes"}])
    with pytest.warns(UserWarning, match=r"lacks 1 of 2 answers \(ids x0\)"):
        assert import_answers(path, ["a", "b"], ids=["x0", "x1"]) == [None, "yes"]
    rows = [{"id": "0", "answer": None}, {"id": "1", "answer": "<think>a</think>\n"}]
    rows += [{"id": "2", "answer": "<THINK>a</think>b", "finish_reason": "length"}]
    with pytest.warns(UserWarning, match=r"lacks 2 of 3 answers \(ids 0, 1\)"):
        found = import_answers(write(path, rows), ["a", "b", "c"])
    assert found == [None, None, "b"] and judge(found[2]) == "cut"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "9", "answer": "x"}, r"unknown id or prompt_sha: 1 \(9\)"),
        ({"prompt_sha": "f00", "answer": "x"}, r"unknown id or prompt_sha: 1 \(f00\)"),
        ({"id": "0", "answer": "x"}, r"second answer to the same prompt: 1 \(0\)"),
        ({"id": "1", "answer": 3}, r"no text under `answer`: 1 \(1\)"),
        ({"id": "1", "prompt_sha": "f00", "answer": "x"}, r"changed since the export: 1 \(1\)"),
        ({"answer": "x"}, r"unknown id or prompt_sha: 1 \(row 2\)"),
    ],
)
def test_answers_that_do_not_fit_are_named(tmp_path, row, message):
    path = write(tmp_path / "a.jsonl", [{"id": "0", "answer": "first"}, row])
    with pytest.raises(ValueError, match=message):
        import_answers(path, ["a", "b"])


@pytest.mark.parametrize(("ids", "message"), [(["a", "a"], "repeated: a"), (["a"], "1 ids for 2")])
def test_ids_are_unique_and_one_a_prompt(tmp_path, ids, message):
    with pytest.raises(ValueError, match=message):
        export_prompts(["x", "y"], tmp_path / "p.jsonl", ids=ids)
