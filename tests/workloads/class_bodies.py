"""Busy class bodies, a nested one, a metaclass, __init_subclass__ and __set_name__."""
import truth


def spin(clock):
    clock.c0, clock.t0 = clock.cpu(), clock.now()
    while clock.now() < clock.t0 + clock.span: pass  # seen
    clock.t1, clock.c1 = clock.now(), clock.cpu()


def class_body(clock):
    class Busy:
        class Nested:
            clock.c0, clock.t0 = clock.cpu(), clock.now()
            while clock.now() < clock.t0 + clock.span: pass  # seen
            clock.t1, clock.c1 = clock.now(), clock.cpu()


def metaclass(clock):
    class Meta(type):
        def __new__(cls, name, bases, names):
            spin(clock)
            return super().__new__(cls, name, bases, names)

    class WithMeta(metaclass=Meta):
        pass


def subclass(clock):
    class Base:
        def __init_subclass__(cls):
            spin(clock)

    class Derived(Base):
        pass


def set_name(clock):
    class Descriptor:
        def __set_name__(self, owner, name):
            spin(clock)

    class Owner:
        attribute = Descriptor()


truth.main([class_body], [metaclass], [subclass], [set_name], span_ns=300_000_000)
