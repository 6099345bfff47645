"""try, except, finally, with: the busy line is in the handler, the clean-up, the exit."""
import contextlib

import truth


def spin(clock):
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span: pass  # seen
    clock.t1, clock.c1 = clock.now(), clock.cpu()


def in_except(clock):
    try:
        raise ValueError("wanted")
    except (KeyError, ValueError) as error:
        spin(clock)
        del error


def in_finally(clock):
    try:
        try:
            raise ValueError("wanted")
        finally:
            spin(clock)
    except ValueError:
        pass


def in_finally_of_return(clock):
    try:
        return clock
    finally:
        spin(clock)


def in_exit(clock):
    class Context:
        def __enter__(self):
            return self

        def __exit__(self, *exception):
            spin(clock)
            return True

    with contextlib.suppress(KeyError), Context():
        raise ValueError("wanted")


def in_context_manager(clock):
    @contextlib.contextmanager
    def context():
        try:
            yield
        finally:
            spin(clock)

    with context():
        pass


def raising_in_a_loop(clock):
    def fail():
        sum(range(2_000))  # seen
        raise ValueError(
            "wanted",
        )

    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span:
        try:
            fail()
        except KeyError:
            return
        except ValueError as error:
            sum(range(2_000))  # seen
        else:
            return
        finally:
            sum(range(2_000))  # seen
    clock.t1, clock.c1 = clock.now(), clock.cpu()


truth.main(
    [in_except],
    [in_finally],
    [in_finally_of_return],
    [in_exit],
    [in_context_manager],
    [raising_in_a_loop],
    span_ns=300_000_000,
)
