"""The runner of `.wast` scripts: every command of a file through the embedding interface, in raw bits.

What is on is version 3.0 and what the folder is about (`folder_features`), unless the caller says otherwise. A command
that needs a feature which is off or which the engine does not run is *waiting* for it, and so is every command on a
module that waits. A command also waits if it would fail on an instance whose memory, table or global a module that
waits was to write to. Everything else passes or fails. Messages: traps and link errors by prefix, malformed and invalid
modules by the class of the error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from interp.api import Store
from interp.binary.decode import decode
from interp.binary.encode import encode
from interp.exec.driver import instantiate, invoke_bits
from interp.runtime.exception import WasmException
from interp.runtime.instance import ModuleInst, resolve
from interp.runtime.memory import MemInst
from interp.runtime.references import ref_matches
from interp.runtime.store import Extern, FuncInst, HostFunc
from interp.runtime.table import GlobalInst, TableInst
from interp.syntax.errors import (
    Exhaustion,
    InvalidError,
    LinkError,
    MalformedError,
    Trap,
    UnsupportedError,
    WasmError,
)
from interp.syntax.features import DEFAULT_FEATURES, EVERY_FEATURE, WASM_1, Feature, Features, feature_set
from interp.syntax.types import (
    F32,
    F64,
    FUNCREF,
    I32,
    I64,
    V128,
    FuncType,
    GlobalType,
    Limits,
    MemType,
    NumType,
    RefType,
    TableType,
    ValType,
)
from interp.text import commands as c
from interp.text.script import parse_script
from interp.valid.module import ValidModule, validate
from interp.valid.subtyping import CLOSED

# -- results --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Failure:
    """A command that failed: where, and why."""

    path: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}"


@dataclass(slots=True)
class FileResult:
    """What came of one file; `waiting` counts commands by the feature they wait for."""

    path: str
    total: int = 0
    passed: int = 0
    waiting: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)

    def json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "path": self.path,
            "passed": self.passed,
            "total": self.total,
            "waiting": dict(sorted(self.waiting.items())),
            "failures": [{"line": f.line, "reason": f.reason} for f in self.failures],
        }


@dataclass(slots=True)
class Results:
    """What came of all files."""

    engine: str
    files: list[FileResult] = field(default_factory=list)

    @property
    def passed(self) -> int:
        """Commands that passed."""
        return sum(file.passed for file in self.files)

    @property
    def total(self) -> int:
        """All commands, waiting ones included."""
        return sum(file.total for file in self.files)

    @property
    def failed(self) -> int:
        """Commands that failed."""
        return sum(len(file.failures) for file in self.files)

    @property
    def waiting(self) -> Counter[str]:
        """Commands that wait, by feature."""
        return sum((file.waiting for file in self.files), Counter())

    def json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "engine": self.engine,
            "passed": self.passed,
            "total": self.total,
            "failed": self.failed,
            "waiting": dict(sorted(self.waiting.items())),
            "files": [file.json() for file in self.files],
        }


def script_paths(paths: Iterable[str | Path]) -> list[Path]:
    """The scripts behind files and folders: a folder stands for all `.wast` files below it, sorted.

    Raises FileNotFoundError.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if not path.exists():
            raise FileNotFoundError(str(path))
        found += sorted(path.rglob("*.wast")) if path.is_dir() else [path]
    return found


#: Folders of scripts to the features that they are written for, where that is not the default and what the folder is
#: named after: longest name first. The scripts of threads are those of the standard as it was when they were written.
FOLDERS: dict[str, frozenset[Feature]] = {
    "proposals/threads": WASM_1 | {Feature.THREADS},
    "legacy": DEFAULT_FEATURES | {Feature.LEGACY_EXCEPTIONS},
    **{feature.value: DEFAULT_FEATURES | {feature} for feature in Feature},
}

#: What older scripts call invalid, in their words, to the feature that came to allow it.
_ALLOWED_SINCE = {"multiple memories": Feature.MULTI_MEMORY, "multiple tables": Feature.REFERENCE_TYPES}


def folder_features(path: Path) -> frozenset[Feature]:
    """What is on for a script: as the folder says that it stands in, else the default."""
    folder = path.resolve().parent
    names = (folder.parent.name + "/" + folder.name, folder.name)
    return next((FOLDERS[name] for name in names if name in FOLDERS), DEFAULT_FEATURES)


def run_paths(
    paths: Iterable[str | Path],
    engine: str | None = None,
    *,
    features: Features = None,
    progress: Callable[[FileResult], object] | None = None,
) -> Results:
    """Run scripts and folders of scripts on an engine; `progress` is told of each file.

    `features` None stands for those of each script's folder. Raises OSError.
    """
    results = Results(Store(engine).engine.name)
    for path in script_paths(paths):
        file = run_file(path, str(path), engine, features)
        results.files.append(file)
        if progress is not None:
            progress(file)
    return results


def run_file(path: Path, name: str, engine: str | None = None, features: Features = None) -> FileResult:
    """Run the script in a file, by default with the features of its folder. Raises OSError.

    What fails in the folder of a proposal that we have no name for waits for that proposal.
    """
    result = run_script(path.read_bytes(), name, engine, folder_features(path) if features is None else features)
    folder = path.resolve().parent
    known = folder.parent.name != "proposals" or f"proposals/{folder.name}" in FOLDERS or folder.name in FOLDERS
    if result.failures and not known:
        result.waiting[folder.name] += len(result.failures)
        result.failures.clear()
    return result


def run_script(
    text: bytes | str, path: str = "script", engine: str | None = None, features: Features = None
) -> FileResult:
    """Run the commands of one script in a store of its own, with these features on."""
    result = FileResult(path)
    try:
        script = parse_script(text)
    except WasmError as error:
        line = error.where.line if error.where and error.where.line else 0
        result.total = 1
        result.failures.append(Failure(path, line, f"the script does not parse: {error}"))
        return result
    runner = _Runner(engine, feature_set(features))
    for command in script:
        result.total += 1
        try:
            runner.run(command)
        except UnsupportedError as error:
            result.waiting[error.feature] += 1
            runner.miss(command, error)
        except Exception as error:  # noqa: BLE001 - whatever a command does, the next one shall run
            feature = runner.missed(command)
            if feature is not None:
                result.waiting[feature] += 1
            else:
                reason = str(error) if isinstance(error, _Failed) else f"{type(error).__name__}: {error}"
                result.failures.append(Failure(path, command.line, reason))
        else:
            result.passed += 1
    return result


# -- the runner -----------------------------------------------------------------------------------------------------


class _Failed(Exception):
    """The command did not do what the script says."""


@dataclass(frozen=True, slots=True)
class _HostRef:
    """What `(ref.extern n)` stands for."""

    number: int


#: In the place of an instance: why there is none.
_Missing = UnsupportedError | Exception
Present = TypeVar("Present", ModuleInst, ValidModule)


class _Runner:
    """The state of a script: its store, its modules by name, what is registered."""

    def __init__(self, engine: str | None, features: frozenset[Feature]) -> None:
        self.store = Store(engine)
        self.features = features
        self.latest: ModuleInst | _Missing = _Failed("no module yet")
        self.named: dict[str, ModuleInst | _Missing] = {}
        self.definition: ValidModule | _Missing = _Failed("no module definition yet")
        self.definitions: dict[str, ValidModule | _Missing] = {}
        self.registered: dict[str, dict[str, Extern] | UnsupportedError] = {"spectest": spectest(self.store)}
        self.host_refs: dict[int, _HostRef] = {}
        #: Externs that a module which waits imports, to the feature it waits for.
        self.untouched: dict[Extern, str] = {}

    def run(self, command: c.Command) -> None:
        """Do one command. Raises UnsupportedError when it waits, _Failed or anything else when it fails."""
        match command:
            case c.ModuleCommand(_, name, source):
                self._define_instance(name, lambda: self._instantiate(self._valid(source)))
            case c.ModuleDefinition(_, name, source):
                self._define(name, source)
            case c.ModuleInstance(_, name, definition):
                self._define_instance(name, lambda: self._instantiate(self._definition(definition)))
            case c.Register(_, name, module):
                self._register(name, module)
            case c.ActionCommand(_, action):
                self._act(action)
            case c.AssertReturn(_, action, patterns):
                self._assert_return(action, patterns)
            case c.AssertTrap(_, what, message):
                self._assert_trap(what, message)
            case c.AssertExhaustion(_, action, message):
                _expect(Exhaustion, message, lambda: self._act(action))
            case c.AssertException(_, action):
                _expect(WasmException, "", lambda: self._act(action))
            case c.AssertMalformed(_, source):
                _expect(MalformedError, "", lambda: self._malformed(source))
            case c.AssertInvalid(_, source, message):
                self._assert_invalid(source, message)
            case c.AssertUnlinkable(_, source, message):
                valid = self._valid(source)
                _expect(LinkError, message, lambda: self._instantiate(valid))
            case c.UnsupportedCommand(_, head, feature):
                raise UnsupportedError(f"the command {head} needs {feature}", feature=feature)

    # What did not happen because a module waits.

    def miss(self, command: c.Command, error: UnsupportedError) -> None:
        """Note what the module of a command that waits could have written to."""
        source = command.action if isinstance(command, c.AssertTrap) else getattr(command, "source", None)
        if not isinstance(source, (c.TextSource, c.BinarySource)):
            return
        try:
            module = source.parse() if isinstance(source, c.TextSource) else decode(source.data, features=EVERY_FEATURE)
        except WasmError:
            return
        for want in module.imports:
            externs = self.registered.get(want.module)
            extern = externs.get(want.name) if isinstance(externs, dict) else None
            if isinstance(extern, (MemInst, TableInst, GlobalInst)):
                self.untouched[extern] = error.feature

    def missed(self, command: c.Command) -> str | None:
        """The feature for want of which the state that a command sees may be another; None: it failed in earnest."""
        action = getattr(command, "action", None)
        inst = self._known(action.module) if isinstance(action, (c.Invoke, c.Get)) else None
        if inst is None:
            return None
        seen: list[Extern] = [*inst.mems, *inst.tables, *inst.globals]
        return next((self.untouched[extern] for extern in seen if extern in self.untouched), None)

    def _known(self, name: str | None) -> ModuleInst | None:
        found = self.latest if name is None else self.named.get(name)
        return found if isinstance(found, ModuleInst) else None

    # Modules.

    def _valid(self, source: c.Source) -> ValidModule:
        """Decode or parse, and validate; a text goes through the binary format like any module."""
        data = source.data if isinstance(source, c.BinarySource) else encode(source.parse())
        return validate(decode(data, features=self.features), features=self.features)

    def _malformed(self, source: c.Source) -> None:
        if isinstance(source, c.BinarySource):
            # Function bodies are read when they are validated.
            validate(decode(source.data, features=self.features), features=self.features)
        else:
            # Texts are read whatever they use; a number that is too large before some feature is so in the bytes.
            decode(encode(source.parse()), features=self.features)

    def _assert_invalid(self, source: c.Source, message: str) -> None:
        try:
            _expect(InvalidError, "", lambda: self._valid(source))
        except UnsupportedError as error:
            if message not in _ALLOWED_SINCE or error.feature != _ALLOWED_SINCE[message].value:
                raise

    def _instantiate(self, valid: ValidModule) -> ModuleInst:
        return instantiate(self.store, valid, resolve(valid, self._find))

    def _find(self, module: str, name: str) -> Extern | None:
        externs = self.registered.get(module)
        if isinstance(externs, UnsupportedError):
            raise externs
        return externs.get(name) if externs is not None else None

    def _define_instance(self, name: str | None, make: Callable[[], ModuleInst]) -> None:
        made: ModuleInst | _Missing
        try:
            made = make()
        except Exception as error:
            self.latest = error
            if name is not None:
                self.named[name] = error
            raise
        self.latest = made
        if name is not None:
            self.named[name] = made

    def _define(self, name: str | None, source: c.Source) -> None:
        made: ValidModule | _Missing
        try:
            made = self._valid(source)
        except Exception as error:
            self.definition = error
            if name is not None:
                self.definitions[name] = error
            raise
        self.definition = made
        if name is not None:
            self.definitions[name] = made

    def _definition(self, name: str | None) -> ValidModule:
        found = self.definition if name is None else self.definitions.get(name, _Failed(f"no definition {name}"))
        return _present(found)

    def _instance(self, name: str | None) -> ModuleInst:
        found = self.latest if name is None else self.named.get(name, _Failed(f"no module {name}"))
        return _present(found)

    def _register(self, name: str, module: str | None) -> None:
        try:
            self.registered[name] = dict(self._instance(module).exports)
        except UnsupportedError as error:
            self.registered[name] = error
            raise

    # Actions.

    def _act(self, action: c.Action) -> tuple[Sequence[ValType], list[int]]:
        inst = self._instance(action.module)
        try:
            extern = inst.exports[action.name]
        except KeyError:
            raise _Failed(f"no export {action.name!r}") from None
        if isinstance(action, c.Get):
            if not isinstance(extern, GlobalInst):
                raise _Failed(f"{action.name!r} is no global")
            return (extern.type.type,), [extern.bits]
        if not isinstance(extern, (FuncInst, HostFunc)):
            raise _Failed(f"{action.name!r} is no function")
        return extern.type.results, invoke_bits(self.store, extern, [self._argument(a) for a in action.args])

    def _argument(self, argument: c.Argument) -> int:
        if isinstance(argument, c.Const):
            return argument.bits
        if argument.kind == "null":
            return 0
        if argument.kind in ("extern", "host") and argument.value is not None:
            return self.store.extern_ref(self._host_ref(argument.value))
        raise _Failed(f"no argument {argument}")

    def _host_ref(self, number: int) -> _HostRef:
        return self.host_refs.setdefault(number, _HostRef(number))

    # Assertions.

    def _assert_return(self, action: c.Action, patterns: Sequence[c.Pattern]) -> None:
        types, values = self._act(action)
        if len(values) != len(patterns):
            raise _Failed(f"{len(patterns)} results expected, {len(values)} came")
        for type, bits, pattern in zip(types, values, patterns, strict=True):
            if not self._matches(type, bits, pattern):
                raise _Failed(f"{pattern} expected, {type} {bits:#x} came")

    def _assert_trap(self, action: c.Action | c.Source, message: str) -> None:
        if isinstance(action, (c.TextSource, c.BinarySource)):
            valid = self._valid(action)
            _expect(Trap, message, lambda: self._instantiate(valid))
        else:
            to_do: c.Action = action
            _expect(Trap, message, lambda: self._act(to_do))

    def _matches(self, type: ValType, bits: int, pattern: c.Pattern) -> bool:
        match pattern:
            case c.Const(expected, value):
                return type == expected and bits == value
            case c.NanPattern(expected, kind):
                return type == expected and is_nan(expected, bits, kind)
            case c.LanesPattern(lane, lanes):
                each = [bits >> lane.bits * n & (1 << lane.bits) - 1 for n in range(len(lanes))]
                return type == V128 and all(
                    is_nan(lane, b, want) if isinstance(want, str) else b == want
                    for b, want in zip(each, lanes, strict=True)
                )
            case c.Either(options):
                return any(self._matches(type, bits, option) for option in options)
            case c.Ref():
                return isinstance(type, RefType) and self._matches_ref(type, bits, pattern)

    def _matches_ref(self, type: RefType, bits: int, pattern: c.Ref) -> bool:
        if pattern.kind == "null":
            return bits == 0
        if pattern.value is not None:
            return bits > 0 and self.store.extern_value(bits) == _HostRef(pattern.value)
        kind = "any" if pattern.kind == "host" else pattern.kind
        return CLOSED.top(kind) == CLOSED.top(type.heap) and ref_matches(self.store, bits, RefType(False, kind))


def _present(found: Present | _Missing) -> Present:
    """An instance or definition, or the raising of what stands in its place."""
    if isinstance(found, UnsupportedError):
        raise found
    if isinstance(found, Exception):
        raise _Failed(f"its module failed: {found}")
    return found


def _expect(kind: type[WasmError], message: str, do: Callable[[], object]) -> None:
    """Do something that must raise an error of a kind, with a message that begins so. UnsupportedError passes by."""
    try:
        do()
    except UnsupportedError:
        raise
    except WasmError as error:
        exhausted = isinstance(error, Exhaustion)
        if not isinstance(error, kind) or (exhausted and kind is Trap):
            raise _Failed(f"{kind.__name__} expected, {type(error).__name__} came: {error}") from None
        if not error.message.startswith(message):
            raise _Failed(f"the message {message!r} was expected, {error.message!r} came") from None
        return
    raise _Failed(f"{kind.__name__} ({message or 'any message'}) expected, and nothing was wrong")


def is_nan(type: NumType, bits: int, kind: str) -> bool:
    """Whether bits are a canonical or an arithmetic NaN, of either sign."""
    quiet = 0x7FC00000 if type is F32 else 0x7FF8000000000000
    magnitude = bits & ((1 << (type.bits - 1)) - 1)
    return magnitude == quiet if kind == "canonical" else magnitude & quiet == quiet


# -- the host module of scripts -------------------------------------------------------------------------------------

_F32_666_6, _F64_666_6 = 0x4426A666, 0x4084D4CCCCCCCCCD


def spectest(store: Store) -> dict[str, Extern]:
    """The host module that scripts may import from; what it prints goes nowhere."""

    def ignore(*bits: int) -> None:
        return None

    prints = {
        "print": (),
        "print_i32": (I32,),
        "print_i64": (I64,),
        "print_f32": (F32,),
        "print_f64": (F64,),
        "print_i32_f32": (I32, F32),
        "print_f64_f64": (F64, F64),
    }
    externs: dict[str, Extern] = {
        name: store.host_func(FuncType(params, ()), ignore, name=f"spectest.{name}") for name, params in prints.items()
    }
    for name, (type, bits) in {
        "global_i32": (I32, 666),
        "global_i64": (I64, 666),
        "global_f32": (F32, _F32_666_6),
        "global_f64": (F64, _F64_666_6),
    }.items():
        externs[name] = store.global_(GlobalType(type, False), bits)
    externs["table"] = store.table(TableType(FUNCREF, Limits(10, 20)))
    externs["table64"] = store.table(TableType(FUNCREF, Limits(10, 20, "i64")))
    externs["memory"] = store.memory(MemType(Limits(1, 2)))
    externs["shared_memory"] = store.memory(MemType(Limits(1, 2, shared=True)))
    return externs
