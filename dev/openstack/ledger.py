"""Counts the steps of the story: one line each, PASS or FAIL with the reason, and a closing line."""
import time
import traceback


class Ledger:
    """Collects results; a failed step does not stop the steps after it."""

    def __init__(self):
        self.passed = 0
        self.failed = 0
        self._begun = time.monotonic()

    def step(self, text):
        """Context of one step: whatever it raises makes the step a failure and goes no further."""
        return _Step(self, text)

    def line(self, text):
        """A line that is no step."""
        print(f"[{time.monotonic() - self._begun:5.0f} s] {text}", flush=True)

    def close(self):
        """Prints the closing line; returns the exit status."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0


class _Step:
    def __init__(self, ledger, text):
        self._ledger = ledger
        self._text = text

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if error is None:
            self._ledger.passed += 1
            self._ledger.line(f"PASS  {self._text}")
            return True
        if not isinstance(error, Exception):
            return False
        self._ledger.failed += 1
        place = traceback.extract_tb(trace)[0]
        self._ledger.line(f"FAIL  {self._text}\n          line {place.lineno}: {type(error).__name__}: {error}")
        return True


class Unexpected(AssertionError):
    """A step saw something else than it should; the message says what."""


def expect(condition, text):
    """Fails the step with what was seen."""
    if not condition:
        raise Unexpected(text)


def eventually(what, seconds, probe):
    """Polls `probe` until it returns something true and returns that; `what` names it when it never does.

    An error of the probe counts as "not yet" and is told at the end.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            result, last = probe(), None
        except Exception as error:  # pylint: disable=broad-except
            result, last = None, error
        if result:
            return result
        if time.monotonic() > deadline:
            raise Unexpected(f"not within {seconds:.0f} s: {what}" + (f" ({last})" if last else ""))
        time.sleep(0.2)
