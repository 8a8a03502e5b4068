"""A sink that keeps a recording in memory: where nothing can be stored, and in tests."""

from .model import Footer, Gap, Header, Metric, Recording, Samples, Span


class MemorySink:
    """Collects a recording; `recording` returns it."""

    def __init__(self) -> None:
        self._recording: Recording | None = None
        self._spans: dict[int, Span] = {}
        self._samples: dict[str, list[Samples]] = {}

    def open(self, header: Header) -> None:
        """See `Sink`."""
        self._recording = Recording(header)

    def begin(self, header: Header) -> None:
        """See `Sink`."""
        assert self._recording is not None, "begin before open"
        self._recording.header = header

    def flush(
        self,
        samples: dict[str, Samples],
        spans: list[Span],
        metrics: list[Metric],
        gaps: list[Gap],
    ) -> None:
        """See `Sink`."""
        assert self._recording is not None, "flush before open"
        for domain, new in samples.items():
            self._samples.setdefault(domain, []).append(new)
        self._spans.update((span.id, span) for span in spans)
        self._recording.metrics += metrics
        self._recording.gaps += gaps

    def close(self, footer: Footer) -> None:
        """See `Sink`."""
        assert self._recording is not None, "close before open"
        self._recording.footer, self._recording.status = footer, footer.status

    def recording(self) -> Recording:
        """Everything recorded so far."""
        assert self._recording is not None, "nothing was opened"
        self._recording.spans = sorted(self._spans.values(), key=lambda s: (s.start_s, s.id))
        self._recording.samples = {d: Samples.concat(p) for d, p in self._samples.items()}
        return self._recording
