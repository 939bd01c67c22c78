"""What Lean prints of a constant, read: texts as Lean 4.35 and that of June 2021 print them."""

from __future__ import annotations

import pytest

from streamverify.core.audit.printed import read_printed
from streamverify.core.audit.printed_tokens import UnreadableError

READ = [
    (": ∀ (n : Nat), @Eq.{1} Nat n n", ": (#: Nat ) → @ Eq .{ 1 } Nat #0 #0", "Eq Nat"),
    (
        (
            ": ∀ (Nat : Nat) (m : Type → Type 1),\n"
            "  And (@Eq.{1} _root_.Nat Nat Nat) (∀ (k : _root_.Nat), p (m _root_.Nat))"
        ),
        ": (#: Nat ) → (#: (#: Type ) → Type 1 ) → And ( @ Eq .{ 1 } Nat #0 #0 ) ( (#: Nat ) → p ( #1 Nat ) )",
        "And Eq Nat p",
    ),
    (
        (
            ": (n : Nat) → Nat :=\nfun (n : Nat) =>\n  have x : Nat := Nat.succ n;\n"
            "  have f : Nat → Nat := fun (y : Nat) => g y;\n  f x"
        ),
        (
            ": (#: Nat ) → Nat := fun (#: Nat ) => have Nat := Nat.succ #0 ; "
            "have (#: Nat ) → Nat := fun (#: Nat ) => g #2 ; #2 #1"
        ),
        "Nat Nat.succ g",
    ),
    # A parameter of a universe is no variable, even if one has its name.
    (
        ".{u} : (u : Type u) → (P : Type u → Nat) → Nat :=\nfun (u : Type u) (P : Type u → Nat) => P u",
        (
            ".{ %0 } : (#: Type %0 ) → (#: (#: Type %0 ) → Nat ) → Nat := "
            "fun (#: Type %0 ) (#: (#: Type %0 ) → Nat ) => #1 #0"
        ),
        "Nat",
    ),
    (
        ".{u_1,\n    u_2} : {A : Type u_2} →\n  {motive : (t : Add.{u_2} A) → Sort u_1} → motive t",
        ".{ %0 , %1 } : {#: Type %1 } → {#: (#: Add .{ %1 } #0 ) → Sort %0 } → #1 t",
        "Add t",
    ),
    # An argument `Type` has no universe: what follows it is the next argument.
    (": (u : Nat) → f Type u (Type u)", ": (#: Nat ) → f Type #0 ( Type %0 )", "Nat f"),
    # The instance in the middle has no name because nothing uses it.
    (
        ".{u} : ∀ {A : Type u} [Add.{u} A] (i : Add.{u} A) [inst : Add.{u} A], p i inst",
        ".{ %0 } : {#: Type %0 } → [#: Add .{ %0 } #0 ] → (#: Add .{ %0 } #0 ) → [#: Add .{ %0 } #0 ] → p #2 #3",
        "Add p",
    ),
    (": (s : S) → (f s).1.2 s.1", ": (#: S ) → ( f #0 ) .1 .2 #0 .1", "S f"),
    (": p (x := Nat) \"a) → '\" 'x' '\\n' 5", ": p ( x := Nat ) \"a) → '\" 'x' '\\n' 5", "Nat p"),
    (": ∀ («x y» : N), p «x y» «a.b».c _private.Main.0.f inst✝", None, "N p «a.b».c _private.Main.0.f inst✝"),
    (": (inst✝ inst✝¹ : N) → p inst✝ inst✝¹", ": (#: N ) → (#: N ) → p #0 #1", "N p"),
    # The scope of a variable ends with its bracket, its type and its value.
    (": p (∀ (x : N), x) x (fun (x : N) => x) x", None, "N p x"),
    (": (x : N) → N := x", ": (#: N ) → N := x", "N x"),
    (": have y : (x : N) → N := x; x y", ": have (#: N ) → N := x ; x #0", "N x"),
]


@pytest.mark.parametrize(("said", "text", "constants"), READ)
def test_each_name_is_a_bound_variable_or_a_constant(said: str, text: str | None, constants: str) -> None:
    printed = read_printed(said)
    assert text is None or printed.text == text
    assert printed.constants == set(constants.split(" "))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (": (a b : N) → p", ": (x : N) → (y : N) → p"),
        (": ∀ (h : p), q", ": p → q"),
        (": ∀ (a b : (x : N) → T x) {c : U}, q", ": ((y : N) → T y) → ∀ (b : (x : N) → T x), {d : U} → q"),
        (": fun (a b : N) => a", ": fun (x : N) (y : N) => x"),
        (": [Add N] → p", ": [inst : Add N] → p"),
    ],
)
def test_names_alone_make_no_difference(one: str, two: str) -> None:
    assert read_printed(one).text == read_printed(two).text


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (": (a b : N) → p a", ": (a b : N) → p b"),
        (": (p → q) → r", ": p → q → r"),
        (": f (g a)", ": f g a"),
        (": {a : N} → p", ": (a : N) → p"),
        (": fun (a : N) => p", ": (a : N) → p"),
        (": f.{u, v} : p", ": f.{v, u} : p"),
        (".{u, v} : f.{u, v}", ".{u, v} : f.{v, u}"),
        (": x.1", ": x.2"),
        (": (x : N) → p x", ": (y : N) → p x"),
        (": have x : N := a; x", ": have x : N := a; a"),
    ],
)
def test_everything_else_does(one: str, two: str) -> None:
    texts = []
    for said in (one, two):
        try:
            texts.append(read_printed(said).text)
        except UnreadableError:
            texts.append(said)
    assert texts[0] != texts[1]


@pytest.mark.parametrize(
    "said",
    [
        *("", ":", "N", ": p ⋯", ": p _", ": ?m.5", ": #f", ": match x with", ": if a then b else c"),
        *(": by simp", ": sorry", ": (a : N) p", ": {a}", ": [a]", ": (p", ": p)", ": (p]", ": ()", ": fun x => x"),
        *(": (x : N)", ": fun (x : N)", ": ∀ x, p", ": have x : N := 1\nx", ": (x : N := 1) → p"),
        *(": p := q := r", ": p : q", ": let x := 1; x", ": → p", ": Type ?u.5"),
        *(".{u : p", ": f.{u", ': "open', ": 'ab'", ": a, b", ": a;", ": .1", ": failed (use 'set_option x true')"),
        ": " + "(a b : " * 30 + "N" + ") → N" * 30,
    ],
)  # fmt: skip
def test_what_is_not_in_the_grammar_is_refused(said: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        read_printed(said)
    assert str(caught.value)
