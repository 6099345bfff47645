"""Counts the SIGINTs that reach it until stdin ends; 40 and their number is its exit code."""
import signal
import sys

import truth

received = []
signal.signal(signal.SIGINT, lambda *_: (received.append(1), truth.emit({"done": True})))
truth.handshake()
while True:
    try:
        if not sys.stdin.readline():
            break
    except InterruptedError:
        pass
sys.exit(40 + len(received))
