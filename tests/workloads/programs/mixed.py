"""About three seconds of CPU time of every kind, from its start to its end.

Python code; C code that has released the GIL, in a thread; and threads that Python knows nothing
of (pthread_create by ctypes, where there is ctypes). At its end it says how much it was of each.
"""
import hashlib
import json
import os
import sys
import threading
import time

SECOND = 1_000_000_000


def spin(n_seconds):
    end = time.thread_time_ns() + int(n_seconds * SECOND)
    while time.thread_time_ns() < end: pass


def hash_in_thread(n_seconds, report):
    data = bytes(1 << 20)
    end = time.thread_time_ns() + int(n_seconds * SECOND)
    while time.thread_time_ns() < end: hashlib.sha256(data)
    report.append(time.thread_time_ns())


def native_threads(n):
    """strfry takes one pointer, as a thread's function does, and shuffles what it points to."""
    try:
        import ctypes
    except ImportError:
        return False
    libc = ctypes.CDLL(None)
    buffers = [ctypes.create_string_buffer(b"x" * (8 << 20)) for _ in range(n)]
    threads = [ctypes.c_ulong() for _ in range(n)]
    for thread, buffer in zip(threads, buffers):
        if libc.pthread_create(ctypes.byref(thread), None, libc.strfry, buffer) != 0:
            sys.exit("no thread")
    for thread in threads:
        libc.pthread_join(thread, None)
    return True


def main():
    of_threads = []
    hashing = threading.Thread(target=hash_in_thread, args=(0.8, of_threads))
    hashing.start()
    spin(0.8)
    hashing.join()
    has_native = native_threads(4)
    spin(0.4)
    python = time.thread_time_ns() + sum(of_threads)
    report = {
        "pid": os.getpid(),
        "has_native": has_native,
        "python_threads_ns": python,
        "native_ns": time.process_time_ns() - python,
        "process_time_ns": time.process_time_ns(),
    }
    print(json.dumps(report), flush=True)


main()
