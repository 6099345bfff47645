"""Two busy threads with different stacks that fight for the GIL, and a thread beside a thread."""
import truth


@truth.gil("contended")
def first(clock):
    return first_inner(clock)


def first_inner(clock):
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span: pass  # seen
    clock.t1, clock.c1 = clock.now(), clock.cpu()


@truth.gil("contended")
def second(clock):
    Second().run(clock)


class Second:
    def run(self, clock):
        clock.c0, clock.t0 = clock.cpu(), clock.now()
        while clock.now() < clock.t0 + clock.span: self.turn()
        clock.t1, clock.c1 = clock.now(), clock.cpu()

    def turn(self):
        return sum(range(100))  # seen


@truth.gil("held")
def alone(clock):
    return first_inner(clock)


truth.main([first, second], [alone], span_ns=800_000_000)
