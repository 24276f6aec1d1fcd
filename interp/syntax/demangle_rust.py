"""Rust's newer name mangling, "v0" (RFC 2603), without the disambiguating hashes."""

from __future__ import annotations

from .demangling import Cursor, DemangleError

_BASIC = {
    "a": "i8", "b": "bool", "c": "char", "d": "f64", "e": "str", "f": "f32", "h": "u8", "i": "isize", "j": "usize",
    "l": "i32", "m": "u32", "n": "i128", "o": "u128", "s": "i16", "t": "u16", "u": "()", "v": "...", "x": "i64",
    "y": "u64", "z": "!", "p": "_",
}  # fmt: skip
_DIGITS = {c: i for i, c in enumerate("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")}


def demangle_rust(mangled: str) -> str:
    """A name without its `_R`. Raises DemangleError."""
    cursor = _Rust(mangled)
    path = cursor.path(value=True)
    if cursor.pos < len(mangled):  # the crate that instantiated it
        cursor.path(value=False)
    if cursor.pos < len(mangled):
        raise DemangleError
    return path


class _Rust(Cursor):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lifetimes = 0

    def base62(self) -> int:
        if self.eat("_"):
            return 0
        value = 0
        while not self.eat("_"):
            digit = _DIGITS.get(self.next())
            if digit is None or value > 1 << 64:
                raise DemangleError
            value = value * 62 + digit
        return value + 1

    def disambiguator(self) -> int:
        return self.base62() + 1 if self.eat("s") else 0

    def identifier(self) -> tuple[str, int]:
        """A name and its disambiguator."""
        number = self.disambiguator()
        return self.plain_identifier(), number

    def plain_identifier(self) -> str:
        puny = self.eat("u")
        size = self.decimal()
        self.eat("_")
        text = self.take(size)
        if not puny:
            return text
        start, _, rest = text.rpartition("_")
        try:
            return f"{start}-{rest}".encode().decode("punycode") if start else rest.encode().decode("punycode")
        except UnicodeError:
            raise DemangleError from None

    def back(self, start: int) -> int:
        """Where a back reference that began at `start` leads; the caller comes back to the position it has now."""
        target = self.base62()
        if target >= start:
            raise DemangleError
        return target

    def path(self, value: bool) -> str:
        """A path; in a value, generic arguments have `::` before them."""
        with self.deeper():
            start = self.pos
            match self.next():
                case "C":
                    return self.identifier()[0]
                case "M":
                    self.impl_path()
                    return f"<{self.type()}>"
                case "X":
                    self.impl_path()
                    return f"<{self.type()} as {self.path(False)}>"
                case "Y":
                    return f"<{self.type()} as {self.path(False)}>"
                case "N":
                    return self.nested(value)
                case "I":
                    path = self.path(value)
                    return self.bounded(f"{path}{'::' if value else ''}<{', '.join(self.generics())}>")
                case "B":
                    target, after = self.back(start), self.pos
                    self.pos = target
                    path = self.path(value)
                    self.pos = after
                    return path
        raise DemangleError

    def impl_path(self) -> None:
        self.disambiguator()
        self.path(False)

    def nested(self, value: bool) -> str:
        space = self.next()
        path = self.path(value)
        name, number = self.identifier()
        if space.isupper():
            kind = {"C": "closure", "S": "shim"}.get(space, space)
            return f"{path}::{{{kind}{':' if name else ''}{name}#{number}}}"
        if not space.islower():
            raise DemangleError
        return self.bounded(f"{path}::{name}" if name else path)

    def generics(self) -> list[str]:
        out = []
        while not self.eat("E"):
            if self.eat("L"):
                out.append(self.lifetime())
            elif self.eat("K"):
                out.append(self.const())
            else:
                out.append(self.type())
        return out

    def lifetime(self) -> str:
        number = self.base62()
        if not number:
            return "'_"
        depth = self.lifetimes - number
        if depth < 0:
            raise DemangleError
        return f"'{chr(ord('a') + depth)}" if depth < 26 else f"'_{depth}"

    def binder(self) -> str:
        """Lifetimes that a `for` introduces; the caller takes them back."""
        if not self.eat("G"):
            return ""
        count = self.base62() + 1
        if count > 100:
            raise DemangleError
        self.lifetimes += count
        return "for<" + ", ".join(self._bound(count - i) for i in range(count)) + "> "

    def _bound(self, number: int) -> str:
        depth = self.lifetimes - number
        return f"'{chr(ord('a') + depth)}" if depth < 26 else f"'_{depth}"

    def type(self) -> str:
        with self.deeper():
            return self.bounded(self._type())

    def _type(self) -> str:
        start = self.pos
        tag = self.peek()
        if tag in _BASIC and tag:
            self.pos += 1
            return _BASIC[tag]
        if tag in ("C", "M", "X", "Y", "N", "I"):
            return self.path(False)
        self.next()
        match tag:
            case "A":
                item = self.type()
                return f"[{item}; {self.const()}]"
            case "S":
                return f"[{self.type()}]"
            case "T":
                items = self.types()
                return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"
            case "R" | "Q":
                lifetime = self.lifetime() + " " if self.eat("L") else ""
                lifetime = "" if lifetime == "'_ " else lifetime
                return f"&{lifetime}{'mut ' if tag == 'Q' else ''}{self.type()}"
            case "P":
                return f"*const {self.type()}"
            case "O":
                return f"*mut {self.type()}"
            case "F":
                return self.function()
            case "D":
                return self.dyn()
            case "B":
                target, after = self.back(start), self.pos
                self.pos = target
                text = self.type()
                self.pos = after
                return text
        raise DemangleError

    def types(self) -> list[str]:
        out = []
        while not self.eat("E"):
            out.append(self.type())
        return out

    def function(self) -> str:
        before = self.lifetimes
        head = self.binder()
        if self.eat("U"):
            head += "unsafe "
        if self.eat("K"):
            abi = "C" if self.eat("C") else self.plain_identifier().replace("_", "-")
            head += f'extern "{abi}" '
        params = ", ".join(self.types())
        result = self.type()
        self.lifetimes = before
        return f"{head}fn({params})" + ("" if result == "()" else f" -> {result}")

    def dyn(self) -> str:
        before = self.lifetimes
        head = self.binder()
        traits = []
        while not self.eat("E"):
            traits.append(self.dyn_trait())
        self.lifetimes = before
        self.expect("L")
        lifetime = self.lifetime()
        return f"dyn {head}{' + '.join(traits)}" + ("" if lifetime == "'_" else f" + {lifetime}")

    def dyn_trait(self) -> str:
        path = self.path(False)
        bindings = []
        while self.eat("p"):
            name = self.plain_identifier()
            bindings.append(f"{name} = {self.type()}")
        if not bindings:
            return path
        if path.endswith(">"):
            return f"{path[:-1]}, {', '.join(bindings)}>"
        return f"{path}<{', '.join(bindings)}>"

    def const(self) -> str:
        with self.deeper():
            start = self.pos
            tag = self.next()
            if tag == "p":
                return "_"
            if tag == "B":
                target, after = self.back(start), self.pos
                self.pos = target
                text = self.const()
                self.pos = after
                return text
            kind = _BASIC.get(tag)
            if kind not in ("i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "i128", "u128", "isize", "usize",
                            "bool", "char"):  # fmt: skip
                raise DemangleError
            sign = "-" if self.eat("n") else ""
            end = self.text.find("_", self.pos)
            digits = self.take(end - self.pos) if end >= self.pos else ""
            self.expect("_")
            try:
                value = int(digits or "0", 16)
            except ValueError:
                raise DemangleError from None
            if kind == "bool":
                return "true" if value else "false"
            if kind == "char":
                if value >= 0x110000:
                    raise DemangleError
                return repr(chr(value))
            return f"{sign}{value}"
