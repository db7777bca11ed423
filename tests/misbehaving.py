"""What a poisoned video could do to the process that reads it, as tasks of a worker."""

import os
import signal
import time

import numpy as np


def crash(recogniser, video):
    """End as a decoder ends that writes where it must not."""
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(60)


def hang(recogniser, video):
    """Never answer."""
    while True:
        time.sleep(1)


def fill_memory(recogniser, video):
    """Take memory until there is none."""
    held = []
    while True:
        held.append(np.ones(2**24, np.uint8))


def fail(recogniser, video):
    """Raise what nobody has expected."""
    raise ZeroDivisionError("a fault of ours")


def print_something(recogniser, video):
    """Write to where messages would go, as libraries do."""
    print("chatter")  # noqa: T201
    os.write(1, b"more of it")
    return b"done"


def pid(recogniser, video):
    """Tell who answers."""
    return str(os.getpid()).encode()


def sleep(recogniser, video, seconds):
    """Answer after a while."""
    time.sleep(seconds)
    return b"done"
