"""Names in backtraces as people write them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interp.syntax.demangle import demangle

NAMES = {
    # Rust, the older scheme
    "_ZN4core3ptr42drop_in_place$LT$alloc..string..String$GT$17heaab7c8f98132064E": (
        "core::ptr::drop_in_place<alloc::string::String>"
    ),
    "_ZN98_$LT$alloc..vec..Vec$LT$T$GT$$u20$as$u20$alloc..vec..spec_from_iter..SpecFromIter$LT$T$C$I$GT$$GT$9from_iter"
    "17hdcbbf56a76a39de8E": "<alloc::vec::Vec<T> as alloc::vec::spec_from_iter::SpecFromIter<T,I>>::from_iter",
    "_ZN3foo3bar17h0123456789abcdefE.llvm.1234567": "foo::bar",
    # Rust v0
    "_RNvCskwGfYPst2Cb_3foo16example_function": "foo::example_function",
    "_RINvNtC3std3mem8align_ofdE": "std::mem::align_of::<f64>",
    "_RMC0INtC8arrayvec8ArrayVecKj7b_E": "<arrayvec::ArrayVec<123>>",
    "_RINvCs21hi0yVfW1J_14const_generics3fooKb1_Kc58_Kin3_E": "const_generics::foo::<true, 'X', -3>",
    "_RNqCs4fqI2P2rA04_11utf8_identsu30____7hkackfecea1cbdathfdh9hlq6y": "utf8_idents::საჭმელად_გემრიელი_სადილი",
    "_RNvNCNKNvNCNvNtC4attr7context17ATTRIBUTE_PARSERS0s1r_12STATE_OBJECT0023___RUST_STD_INTERNAL_VAL": (
        "attr::context::ATTRIBUTE_PARSERS::{closure#0}::STATE_OBJECT::{K#0}::{closure#0}::__RUST_STD_INTERNAL_VAL"
    ),
    "_RNvXCs_1aINtB2_3FooDNtB2_5TraitEL_ENtB2_3Bar1f": "<a::Foo<dyn a::Trait> as a::Bar>::f",
    # C++
    "_Z3fooi": "foo(int)",
    "_ZN3foo3barEv": "foo::bar()",
    "_ZNSt6vectorIiSaIiEE9push_backERKi": "std::vector<int, std::allocator<int>>::push_back(int const&)",
    "_ZN5proxy4wasm7ContextC2ERKNS0_6ConfigE": "proxy::wasm::Context::Context(proxy::wasm::Config const&)",
    "_ZN5proxy4wasm7ContextD0Ev": "proxy::wasm::Context::~Context()",
    "_Z4swapIiEvRT_S1_": "void swap<int>(int&, int&)",
    "_ZN12_GLOBAL__N_13fooEv": "(anonymous namespace)::foo()",
    "_ZZ4mainENKUlvE_clEv": "main::{lambda()#1}::operator()() const",
    "_ZNK3FoocvbEv": "Foo::operator bool() const",
    "_ZlsRSoRK3Foo": "operator<<(std::ostream&, Foo const&)",
    "_Z1fM3FooFviE": "f(void (Foo::*)(int))",
    "_Z1fPFivE": "f(int (*)())",
    "_Z1fRA10_i": "f(int (&) [10])",
    "_ZTVN10__cxxabiv117__class_type_infoE": "vtable for __cxxabiv1::__class_type_info",
    "_ZNSt5dequeImSaImEE16_M_push_back_auxIJRKmEEEvDpOT_": (
        "void std::deque<unsigned long, std::allocator<unsigned long>>::_M_push_back_aux<unsigned long const&>"
        "(unsigned long const&)"
    ),
    "_ZN4llvm7hashing4implIKcEENSt9enable_ifIXsr16is_hashable_dataIT_EE5valueENS_9hash_codeEE4typeEPS5_S9_": (
        "llvm::hashing::impl<char const>"  # the parameters have an expression in them
    ),
    # none of them
    "main": "main",
    "runtime.mapaccess2_fast32": "runtime.mapaccess2_fast32",
    "~lib/rt/itcms/__new": "~lib/rt/itcms/__new",
    "": "",
    "_ZN": "_ZN",
    "_R": "_R",
    "_ZNSt6vectorIiSaIiEE9push_back": "_ZNSt6vectorIiSaIiEE9push_back",
}


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str) -> None:
    assert demangle(name) == NAMES[name]


@given(
    st.sampled_from(["", "_Z", "_ZN", "_R", "_RNv", "_RI"]), st.text("_RZNStIiEKvPBC0123456789abcdefgxyz$", max_size=60)
)
def test_nothing_raises(head: str, tail: str) -> None:
    assert isinstance(demangle(head + tail), str)


def test_changed_names_never_raise() -> None:
    dice = random.Random(5)
    for name in NAMES:
        for _ in range(200 if name else 0):
            place = dice.randrange(len(name))
            demangle(name[:place] + dice.choice("_RZNStIiEKvPBC0123456789$.") + name[place + dice.randrange(2) :])
            demangle(name[:place])


def test_a_short_name_cannot_become_a_huge_one() -> None:
    doubling = "_RIC1a" + "TuuE" + "".join(f"TB{place}_B{place}_E" for place in range(4, 60)) + "E"
    assert len(demangle(doubling)) < 30_000
    nested = "_Z1f" + "P" * 5000 + "i"
    assert demangle(nested) in (nested, "f")
