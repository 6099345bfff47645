"""Counts the SIGINTs that reach it until stdin ends; 40 and their number is its exit code."""
import os
import signal
import sys

import truth

received = []
signal.signal(signal.SIGINT, lambda *_: (received.append(1), truth.emit({"done": True})))
truth.emit({"ready": {"pid": os.getpid(), "tid": os.getpid()}})
sys.stdin.read()
sys.exit(40 + len(received))
