"""A Flask app for gunicorn: `slow` is CPU-bound NumPy code, `quick` is what else a request does.

After each request the worker writes, to a file of its own in the folder WEB_TIMES: the monotonic
clock, and the CPU time so far of `slow`, of its thread, and of the process, in nanoseconds.
"""
import os
import time

import numpy
from flask import Flask

app = Flask(__name__)
matrix = numpy.random.default_rng(1).random((600, 600))
vector = numpy.random.default_rng(2).random(20_000)
slow_ns = 0
times = open(os.path.join(os.environ["WEB_TIMES"], str(os.getpid())), "w", buffering=1)


@app.get("/elementwise")
def elementwise():
    return answer(slow_elementwise)


@app.get("/matmul")
def matmul():
    return answer(slow_matmul)


def answer(slow):
    global slow_ns
    begin = time.thread_time_ns()
    slow()
    slow_ns += time.thread_time_ns() - begin
    quick(0.006)
    print(time.monotonic_ns(), slow_ns, time.thread_time_ns(), time.process_time_ns(), file=times)
    return "done"


def slow_elementwise():
    values = vector
    for _ in range(60):
        values = numpy.sqrt(values * values + 1.0)
        values = numpy.sin(values)
    return values


def slow_matmul():
    return matrix @ matrix


def quick(n_seconds):
    end = time.thread_time() + n_seconds
    while time.thread_time() < end: pass
