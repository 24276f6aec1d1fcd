"""C++ names of the Itanium ABI: names, templates, parameters, literals; a name with other expressions is given up."""

from __future__ import annotations

from dataclasses import dataclass

from .demangling import Cursor, DemangleError

_BUILTIN = {
    "v": "void", "w": "wchar_t", "b": "bool", "c": "char", "a": "signed char", "h": "unsigned char", "s": "short",
    "t": "unsigned short", "i": "int", "j": "unsigned int", "l": "long", "m": "unsigned long", "x": "long long",
    "y": "unsigned long long", "n": "__int128", "o": "unsigned __int128", "f": "float", "d": "double",
    "e": "long double", "g": "__float128", "z": "...",
}  # fmt: skip
_D_TYPES = {
    "Dn": "std::nullptr_t", "Di": "char32_t", "Ds": "char16_t", "Du": "char8_t", "Da": "auto", "Dc": "decltype(auto)",
    "Dh": "half", "Df": "decimal32", "Dd": "decimal64", "De": "decimal128",
}  # fmt: skip
_STANDARD = {
    "St": "std", "Sa": "std::allocator", "Sb": "std::basic_string", "Ss": "std::string", "Si": "std::istream",
    "So": "std::ostream", "Sd": "std::iostream",
}  # fmt: skip
_OPERATORS = {
    "nw": " new", "na": " new[]", "dl": " delete", "da": " delete[]", "aw": " co_await", "ps": "+", "ng": "-",
    "ad": "&", "de": "*", "co": "~", "pl": "+", "mi": "-", "ml": "*", "dv": "/", "rm": "%", "an": "&", "or": "|",
    "eo": "^", "aS": "=", "pL": "+=", "mI": "-=", "mL": "*=", "dV": "/=", "rM": "%=", "aN": "&=", "oR": "|=",
    "eO": "^=", "ls": "<<", "rs": ">>", "lS": "<<=", "rS": ">>=", "eq": "==", "ne": "!=", "lt": "<", "gt": ">",
    "le": "<=", "ge": ">=", "ss": "<=>", "nt": "!", "aa": "&&", "oo": "||", "pp": "++", "mm": "--", "cm": ",",
    "pm": "->*", "pt": "->", "cl": "()", "ix": "[]", "qu": "?",
}  # fmt: skip
_SUFFIXES = {"unsigned int": "u", "long": "l", "unsigned long": "ul", "long long": "ll", "unsigned long long": "ull"}
_SPECIAL = {
    "TV": "vtable for ", "TT": "VTT for ", "TI": "typeinfo for ", "TS": "typeinfo name for ",
    "GV": "guard variable for ", "TW": "thread-local wrapper for ", "TH": "thread-local initialization for ",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Type:
    """A type as the text before and behind what is declared.

    `call` marks functions and arrays, which need brackets; `reference` is the sign of a reference, since two collapse.
    """

    left: str
    right: str = ""
    call: bool = False
    reference: str = ""

    def __str__(self) -> str:
        return f"{self.left} {self.right}" if self.call and self.right[:1] == "(" else self.left + self.right

    def with_sign(self, sign: str) -> _Type:
        if self.reference and sign in ("&", "&&"):
            if sign == "&&" or self.reference == "&":
                return self
            return _Type(self.left[:-1], self.right, False, "&")
        reference = sign if sign in ("&", "&&") else ""
        if self.call:
            return _Type(f"{self.left} ({sign}", f"){self.right}", False, reference)
        return _Type(self.left + sign, self.right, False, reference)


@dataclass(frozen=True, slots=True)
class _Name:
    """A name; whether it ends in template arguments, and whether its function has no return type (constructors)."""

    text: str
    template: bool = False
    special: bool = False
    qualifiers: str = ""


def demangle_cpp(mangled: str) -> str:
    """A name without its `_Z`; without parameters if they have expressions in them. Raises DemangleError."""
    cursor = _Cpp(mangled)
    try:
        text = cursor.encoding()
        if cursor.pos < len(mangled):
            raise DemangleError
    except DemangleError:
        if cursor.outermost:
            return cursor.outermost
        raise
    return text


class _Cpp(Cursor):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.substitutions: list[_Type] = []
        #: What T_, T0_, ... stand for: a type, or the types of a pack.
        self.arguments: list[_Type | list[_Type]] = []
        self.outermost = ""  # the function's own name, once it was read
        self.naming = False  # in the name of a function, whose template arguments these are
        self.place: int | None = None  # in a pack expansion: which element
        self.size: int | None = None  # in a pack expansion: of how many

    def encoding(self) -> str:
        for tag, words in _SPECIAL.items():
            if self.eat(tag):
                return words + (str(self.type()) if tag[0] == "T" and tag[1] in "VTIS" else self.name().text)
        if self.peek() == "T":
            return self.thunk()
        before, self.naming = self.naming, True
        name = self.name()
        self.naming = before
        if not self.peek() or self.peek() in "E.":
            return name.text
        if not self.depth:
            self.outermost = name.text
        result: _Type | None = None
        if name.template and not name.special:
            result = self.type()
        params = self.parameters()
        text = f"{name.text}({params}){name.qualifiers}"
        return self.bounded(f"{result.left} {text}{result.right}" if result else text)

    def thunk(self) -> str:
        self.expect("T")
        match self.next():
            case "h":
                self.offset()
                return "non-virtual thunk to " + self.encoding()
            case "v":
                self.offset()
                self.offset()
                return "virtual thunk to " + self.encoding()
            case "C":
                derived = self.type()
                self.decimal()
                self.expect("_")
                return f"construction vtable for {self.type()}-in-{derived}"
        raise DemangleError

    def offset(self) -> None:
        self.eat("n")
        self.decimal()
        self.expect("_")

    def parameters(self) -> str:
        """The types up to `E` or the end; a lone void is no parameter."""
        types = []
        while self.peek() and self.peek() not in ("E", ".") and not self.text.startswith(("RE", "OE"), self.pos):
            types.append(str(self.type()))
        if not types:
            raise DemangleError
        return "" if types == ["void"] else ", ".join(text for text in types if text)

    # Names.

    def name(self) -> _Name:
        with self.deeper():
            if self.peek() == "N":
                return self.nested()
            if self.peek() == "Z":
                return self.local()
            if self.peek() == "S" and self.peek(1) != "t":
                type = self.substitution()
                if self.peek() != "I":
                    return _Name(str(type))
                return _Name(f"{type}{self.template_arguments()}", True)
            prefix = "std::" if self.eat("St") else ""
            text = prefix + self.unqualified("")
            if self.peek() == "I":
                self.remember(text)
                return _Name(text + self.template_arguments(), True)
            return _Name(text)

    def remember(self, text: str) -> None:
        self.substitutions.append(_Type(text))

    def nested(self) -> _Name:
        self.expect("N")
        qualifiers = ""
        while self.peek() in ("r", "V", "K"):
            qualifiers = {"r": " restrict", "V": " volatile", "K": " const"}[self.next()] + qualifiers
        if self.peek() in ("R", "O"):
            qualifiers += " &" if self.next() == "R" else " &&"
        text = ""
        last = ""
        template = special = False
        while not self.eat("E"):
            tag = self.peek()
            if tag == "S" and self.peek(1) != "t" and not text:
                text = str(self.substitution())
                last = text.rpartition("::")[2].partition("<")[0]
                template = False
                continue
            if tag == "S" and self.peek(1) == "t" and not text:
                self.pos += 2
                text = "std"
                continue
            if tag == "I":
                text += self.template_arguments()
                template = True
            elif tag == "T" and not text:
                text = str(self.template_parameter())
            else:
                special = (tag in ("C", "D") and self.peek(1) in "012345I") or (tag == "c" and self.peek(1) == "v")
                part = self.unqualified(last)
                last = part.partition("[")[0]
                text = f"{text}::{part}" if text else part
                template = False
            if self.peek() != "E":
                self.remember(self.bounded(text))
        if not text:
            raise DemangleError
        return _Name(text, template, special, qualifiers)

    def local(self) -> _Name:
        self.expect("Z")
        outer = self.encoding()
        self.expect("E")
        if self.eat("s"):
            self.discriminator()
            return _Name(f"{outer}::string literal")
        if self.eat("d"):
            if self.peek() != "_":
                self.decimal()
            self.expect("_")
        inner = self.name()
        self.discriminator()
        return _Name(f"{outer}::{inner.text}", inner.template, inner.special, inner.qualifiers)

    def discriminator(self) -> None:
        if self.eat("__"):
            self.decimal()
            self.expect("_")
        elif self.peek() == "_" and self.peek(1).isdigit():
            self.pos += 2

    def unqualified(self, outer: str) -> str:
        """One component; `outer` is the class, which constructors and destructors are named after."""
        with self.deeper():
            text = self._unqualified(outer)
            while self.eat("B"):  # an ABI tag
                text += f"[abi:{self.take(self.decimal())}]"
            return text

    def _unqualified(self, outer: str) -> str:
        self.eat("L")  # internal linkage
        tag = self.peek()
        if tag.isdigit():
            text = self.take(self.decimal())
            return "(anonymous namespace)" if text.startswith("_GLOBAL__N") else text
        if tag == "C" and self.peek(1) in tuple("12345"):
            self.pos += 2
            return outer or "constructor"
        if tag == "D" and self.peek(1) in tuple("01245"):
            self.pos += 2
            return f"~{outer}"
        if self.eat("Ul"):
            params = self.parameters()
            self.expect("E")
            number = self.decimal() + 2 if self.peek().isdigit() else 1
            self.expect("_")
            return f"{{lambda({params})#{number}}}"
        if self.eat("Ut"):
            number = self.decimal() + 2 if self.peek().isdigit() else 1
            self.expect("_")
            return f"{{unnamed type#{number}}}"
        if self.eat("cv"):
            return f"operator {self.type()}"
        if self.eat("li"):
            return f'operator"" {self.take(self.decimal())}'
        sign = _OPERATORS.get(self.text[self.pos : self.pos + 2])
        if sign is None:
            raise DemangleError
        self.pos += 2
        return f"operator{sign}"

    def sequence(self) -> int:
        """A number in base 36 that ends with `_`."""
        if self.eat("_"):
            return 0
        value = 0
        while not self.eat("_"):
            char = self.next()
            if not (char.isdigit() or "A" <= char <= "Z") or value > 1 << 20:
                raise DemangleError
            value = value * 36 + int(char, 36)
        return value + 1

    def substitution(self) -> _Type:
        two = self.text[self.pos : self.pos + 2]
        if two in _STANDARD:
            self.pos += 2
            return _Type(_STANDARD[two])
        self.expect("S")
        number = self.sequence()
        if number >= len(self.substitutions):
            raise DemangleError
        return self.substitutions[number]

    def template_parameter(self) -> _Type:
        self.expect("T")
        number = self.sequence()
        if number >= len(self.arguments):
            return _Type("auto")
        argument = self.arguments[number]
        if isinstance(argument, _Type):
            return argument
        if self.place is None:
            return _Type(", ".join(map(str, argument)))
        self.size = len(argument)
        return argument[self.place] if self.place < len(argument) else _Type("")

    def expansion(self) -> str:
        """A type with a pack in it, once for each element."""
        outer = self.place, self.size
        start, known = self.pos, len(self.substitutions)
        parts: list[str] = []
        self.place, self.size = 0, None
        while True:
            self.pos = start
            parts.append(str(self.type()))
            after, found = self.pos, self.substitutions[known:]
            del self.substitutions[known:]
            self.place += 1
            if self.size is None or self.place >= self.size:
                break
        if self.size == 0:
            parts = []
        self.substitutions += found
        self.pos = after
        self.place, self.size = outer
        return self.bounded(", ".join(parts))

    def template_arguments(self) -> str:
        with self.deeper():
            self.expect("I")
            naming, self.naming = self.naming, False
            if naming:
                self.arguments = []
            out: list[str] = []
            while not self.eat("E"):
                argument = self.template_argument()
                if naming:
                    self.arguments.append(argument)
                out += map(str, argument) if isinstance(argument, list) else [str(argument)]
            self.naming = naming
            return self.bounded(f"<{', '.join(part for part in out if part)}>")

    def template_argument(self) -> _Type | list[_Type]:
        if self.peek() == "L":
            return _Type(self.literal())
        if self.eat("J"):
            parts: list[_Type] = []
            while not self.eat("E"):
                argument = self.template_argument()
                parts += argument if isinstance(argument, list) else [argument]
            return parts
        if self.peek() == "X":
            raise DemangleError
        return self.type()

    def literal(self) -> str:
        self.expect("L")
        if self.eat("_Z"):
            text = "&" + self.encoding()
            self.expect("E")
            return text
        type = str(self.type())
        end = self.text.find("E", self.pos)
        if end < 0:
            raise DemangleError
        value = self.take(end - self.pos)
        self.expect("E")
        value = "-" + value[1:] if value.startswith("n") else value
        if type == "bool" and value in ("0", "1"):
            return "true" if value == "1" else "false"
        if type == "int":
            return value
        return value + _SUFFIXES[type] if type in _SUFFIXES else f"({type}){value}"

    # Types.

    def type(self) -> _Type:
        with self.deeper():
            naming, self.naming = self.naming, False
            type, known = self._type()
            self.naming = naming
            self.bounded(type.left + type.right)
            if not known:
                self.substitutions.append(type)
            return type

    def _type(self) -> tuple[_Type, bool]:
        """A type, and whether it is none that may be substituted later."""
        tag = self.peek()
        if tag in _BUILTIN and tag:
            self.pos += 1
            return _Type(_BUILTIN[tag]), True
        two = self.text[self.pos : self.pos + 2]
        if two in _D_TYPES:
            self.pos += 2
            return _Type(_D_TYPES[two]), True
        if self.eat("Dp"):
            return _Type(self.expansion()), False
        match tag:
            case "P" | "R" | "O":
                self.pos += 1
                return self.type().with_sign({"P": "*", "R": "&", "O": "&&"}[tag]), False
            case "K" | "V" | "r":
                return self.qualified(), False
            case "F":
                return self.function(), False
            case "A":
                return self.array(), False
            case "M":
                return self.member_pointer(), False
            case "T":
                return self.parameter_type()
            case "S" if self.peek(1) != "t":
                type = self.substitution()
                if self.peek() == "I":
                    return _Type(f"{type}{self.template_arguments()}"), False
                return type, True
            case "u":
                self.pos += 1
                return _Type(self.take(self.decimal())), False
        if tag.isdigit() or tag in ("N", "Z", "S"):
            return _Type(self.name().text), False
        raise DemangleError

    def qualified(self) -> _Type:
        words = ""
        while self.peek() in ("K", "V", "r"):
            words = {"K": " const", "V": " volatile", "r": " restrict"}[self.next()] + words
        type = self.type()
        return _Type(type.left, type.right + words, True) if type.call else _Type(type.left + words, type.right)

    def function(self) -> _Type:
        self.expect("F")
        self.eat("Y")
        result = self.type()
        params = self.parameters()
        tail = " &" if self.text.startswith("RE", self.pos) else " &&" if self.text.startswith("OE", self.pos) else ""
        self.pos += 1 if tail else 0
        self.expect("E")
        return _Type(result.left, f"({params}){tail}{result.right}", True)

    def array(self) -> _Type:
        self.expect("A")
        size = str(self.decimal()) if self.peek().isdigit() else ""
        self.expect("_")
        item = self.type()
        return _Type(item.left, f" [{size}]{item.right}", True)

    def member_pointer(self) -> _Type:
        self.expect("M")
        owner = self.type()
        member = self.type()
        if member.call:
            return _Type(f"{member.left} ({owner}::*", f"){member.right}")
        return _Type(f"{member.left} {owner}::*", member.right)

    def parameter_type(self) -> tuple[_Type, bool]:
        type = self.template_parameter()
        if self.peek() == "I":
            self.substitutions.append(type)
            return _Type(str(type) + self.template_arguments()), False
        return type, False
