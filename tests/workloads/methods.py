"""Methods, class methods, static methods, properties, a nested class, a call operator, super()."""
import truth


def spin(clock):
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span: pass  # seen
    clock.t1, clock.c1 = clock.now(), clock.cpu()


class Base:
    def method(self, clock):
        return spin(clock)


class Derived(Base):
    class Nested:
        def __init__(self, clock):
            self.done = Derived.of_class(clock)

        def __call__(self, clock):
            return spin(clock)

    def method(self, clock):
        return super().method(clock)

    @classmethod
    def of_class(cls, clock):
        return cls.of_none(clock)

    @staticmethod
    def of_none(clock):
        return spin(clock)

    @property
    def value(self):
        return spin(self.clock)

    def __getattr__(self, name):
        return spin(self.__dict__["clock"])

    def __add__(self, other):
        return spin(other)


def method(clock):
    Derived().method(clock)


def nested_class(clock):
    Derived.Nested(clock)


def call_operator(clock):
    nested = Derived.Nested.__new__(Derived.Nested)
    nested(clock)


def attribute(clock):
    derived = Derived()
    derived.__dict__["clock"] = clock
    return derived.value


def missing_attribute(clock):
    derived = Derived()
    derived.__dict__["clock"] = clock
    return derived.missing


def operator(clock):
    return Derived() + clock


truth.main(
    [method],
    [nested_class],
    [call_operator],
    [attribute],
    [missing_attribute],
    [operator],
    span_ns=300_000_000,
)
