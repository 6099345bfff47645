"""Nested calls of plain functions: five frames, one busy line at the leaf."""
import truth


def nested_calls(clock):
    return outer(clock)


def outer(clock):
    clock.label = "outer"
    return middle(clock)


def middle(clock):
    return (
        1,
        inner(clock),
    )


def inner(clock):
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span: pass  # seen
    clock.t1, clock.c1 = clock.now(), clock.cpu()


truth.main([nested_calls])
