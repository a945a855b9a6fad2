"""What the server tells Prometheus: counts and times, never a text, a key or a name that a client made up."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from manera.generation.engine import Finished

_SECONDS = (0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30, 60)
_SPEEDS = (1, 2, 5, 10, 20, 40, 60, 80, 100, 150, 200, 300, 500)


class Metrics:
    """One application's figures, in a registry of its own."""

    def __init__(self, running: Callable[[], int], waiting: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "manera_requests", "Answers, by route and status", ("route", "status"), registry=self.registry
        )
        self._refusals = Counter("manera_refusals", "Requests refused, by reason", ("reason",), registry=self.registry)
        self._first_token = Histogram(
            "manera_time_to_first_token_seconds",
            "From a request's arrival in the queue to its first token",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._speed = Histogram(
            "manera_reply_tokens_per_second",
            "Of one reply, after its first token",
            buckets=_SPEEDS,
            registry=self.registry,
        )
        self._read = Counter("manera_prompt_tokens", "Tokens read", registry=self.registry)
        self._written = Counter("manera_completion_tokens", "Tokens written", registry=self.registry)
        for name, told, count in (
            ("manera_replies_running", "Replies being written", running),
            ("manera_replies_waiting", "Replies waiting for a slot", waiting),
        ):
            Gauge(name, told, registry=self.registry).set_function(count)

    def answered(self, route: str, status: int) -> None:
        """Count an answer; route is a path as the application declares it."""
        self._requests.labels(route, status).inc()

    def refused(self, reason: str) -> None:
        """Count a refusal; reason is one of the application's own codes."""
        self._refusals.labels(reason).inc()

    def first_token(self, seconds: float) -> None:
        """Note how long a request has waited for its first token."""
        self._first_token.observe(seconds)

    def finished(self, reply: Finished) -> None:
        """Count a reply's tokens and note its speed."""
        self._read.inc(reply.prompt_tokens)
        self._written.inc(reply.new_tokens)
        seconds = reply.seconds - reply.seconds_to_first_token
        if reply.new_tokens > 1 and seconds > 0:
            self._speed.observe((reply.new_tokens - 1) / seconds)

    def exposition(self) -> bytes:
        """Write everything in Prometheus's text format."""
        return generate_latest(self.registry)
