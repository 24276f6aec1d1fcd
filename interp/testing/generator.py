"""Random well-typed programs: one or two modules, the second of which may import what the first exports."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from interp.binary.encode import encode
from interp.syntax.module import Func, Module
from interp.syntax.types import F64, I32, I64, FuncType, ValType

from .bodies import Body
from .objects import ObjectBody, pick_locals
from .shape import Shape, finish, make_shape, pick
from .throwing import EXN, ThrowingBody, ThrowingObjectBody


@dataclass(frozen=True)
class Program:
    """Modules in bytes, to be instantiated in order, and a number that seeds the arguments and the host's answers.

    One whose modules others made is `foreign`: its functions get null for references.
    """

    modules: tuple[bytes, ...]
    seed: int
    foreign: bool = False


def make_module(
    rng: Random, before: Module | None = None, size: int = 120, objects: bool = False, throws: bool = False
) -> Module:
    """A well-typed module; `size` is about how many instructions a body has at most.

    With `objects` it has typed references and garbage collection, with `throws` exceptions.
    """
    shape = make_shape(rng, before, objects, throws)
    for type_index in shape.funcs[shape.imported :]:
        _add_body(shape, type_index, rng.randrange(size))
    starts = [i for i in range(len(shape.funcs)) if shape.func_type(i) == FuncType()]
    return finish(shape, rng.choice(starts) if starts and rng.random() < 0.25 else None)


def _add_body(shape: Shape, type_index: int, size: int) -> None:
    body = _BODIES[shape.objects, shape.throws]
    locals = pick_locals(shape.rng) if shape.objects else _locals(shape.rng)
    if shape.throws:
        locals += (EXN,) * shape.rng.randrange(3)
    code = body(shape, shape.signature(type_index), locals, size).whole()
    shape.bodies.append(Func(type_index, _contents=(locals, code)))


_BODIES: dict[tuple[bool, bool], type[Body]] = {
    (False, False): Body,
    (True, False): ObjectBody,
    (False, True): ThrowingBody,
    (True, True): ThrowingObjectBody,
}


def _locals(rng: Random) -> tuple[ValType, ...]:
    if rng.random() < 0.45:
        return tuple(rng.choices((I32, I64, F64), (3, 2, 2), k=rng.randrange(1, 6)))
    few = tuple(pick(rng) for _ in range(rng.randrange(7)))
    if rng.random() < 0.1:
        return few + (pick(rng),) * rng.choice((60, 64, 65, 130, 300))
    return few


def make_program(rng: Random, size: int = 120, objects: bool = False, throws: bool = False) -> Program:
    """A program; a function of what the generator gives."""
    first = make_module(rng, None, size, objects, throws)
    modules = [first]
    if rng.random() < 0.4:
        modules.append(make_module(rng, first, size, objects, throws))
    return Program(tuple(map(encode, modules)), rng.getrandbits(32))


def program(seed: int, size: int = 120, objects: bool = False, throws: bool = False) -> Program:
    """The program of a seed."""
    return make_program(Random(seed), size, objects, throws)
