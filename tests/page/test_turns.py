"""A hundred visitors at once: some are answered, the others are told."""

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice

import pytest

from hmdb_kedro.errors import UserError
from hmdb_kedro.page.turns import Turns


def test_a_few_are_answered_at_a_time_and_one_too_many_is_told_at_once():
    turns, may_end, begun = Turns(2, 3), threading.Event(), threading.Semaphore(0)

    def visit(_):
        try:
            with turns.taken():
                begun.release()
                assert may_end.wait(10)
                return "answered"
        except UserError as error:
            return str(error)

    with ThreadPoolExecutor(100) as visitors:
        answers = [visitors.submit(visit, number) for number in range(100)]
        assert all(begun.acquire(timeout=10) for _ in range(2))
        refused = [answer.result() for answer in islice(as_completed(answers, 10), 95)]
        assert not begun.acquire(timeout=0)
        may_end.set()
    assert all("too many clips" in answer for answer in refused)
    assert [answer.result() for answer in answers].count("answered") == 5


def test_a_turn_that_fails_is_free_again():
    turns = Turns(1, 0)
    for _ in range(3):
        with pytest.raises(ValueError, match="broken"), turns.taken():
            raise ValueError("broken")
