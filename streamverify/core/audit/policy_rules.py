"""The rules of the policy: what each objects to, and why. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """A kind of finding.

    `runs_code`: Lean may have run code of the proof that reads, writes or stays behind, so that the process that
    checked it is replaced before the next job.
    """

    id: str
    summary: str
    reason: str
    example: str
    runs_code: bool


_ALL = (
    PolicyRule(
        "axiom",
        "a declaration without proof: `axiom`, `init_quot`",
        "An axiom of the proof's own proves anything.",
        "axiom shortcut : (p : Prop) → p",
        runs_code=False,
    ),
    PolicyRule(
        "exit",
        "`#exit`",
        "Lean reads nothing after it, and says nothing of that: what follows was never checked.",
        "#exit\ntheorem target : 1 + 1 = 3 := by simp",
        runs_code=False,
    ),
    PolicyRule(
        "guard_msgs",
        "commands that expect, change or drop messages: `#guard_msgs`, `#guard_panic`, `#check_simp`",
        "They drop the error of a failed theorem, which Lean adds all the same.",
        "#guard_msgs (drop all) in\ntheorem target : 1 + 1 = 3 := by simp",
        runs_code=False,
    ),
    PolicyRule(
        "eval",
        "`#eval`, `#eval!`, `#guard`, `eval%` and other commands that compile and run a term",
        "Code runs with the rights of the verifier: it writes to the answer channel, the disk, the environment.",
        '#eval IO.FS.writeFile "/dev/stdout" "{}"',
        runs_code=True,
    ),
    PolicyRule(
        "run_code",
        "`run_cmd`, `run_elab`, `run_meta`, `run_tac`, `run_conv`, `by_elab`, aesop's rules made of a tactic",
        "Code of the proof runs inside the elaborator, and can add what the kernel never sees.",
        "theorem target : 1 + 1 = 3 := by run_tac evil",
        runs_code=True,
    ),
    PolicyRule(
        "metaprogram",
        "a name that only metaprograms need: with a part `Lean`, `IO`, `System`, `Syntax`, `MetaM`, … (but for lemmas "
        "such as `Lean.Grind.…`), `.atom`, `.anonymous`",
        "Lean runs a definition in more ways than a list could name; where none can do anything, none is a danger.",
        "def evil : Nat := (IO.getStdout ()).casesOn 0",
        runs_code=True,
    ),
    PolicyRule(
        "initialize",
        "`initialize`, `builtin_initialize`, and what registers options, attributes and simp sets",
        "Code runs when the file is loaded.",
        "initialize IO.println hello",
        runs_code=True,
    ),
    PolicyRule(
        "macro",
        "`macro`, `macro_rules`, `syntax`, `declare_syntax_cat`",
        "What follows no longer means what it says: the statement can read as asked and be another.",
        "local macro_rules | `($_ = $_) => `(True)",
        runs_code=True,
    ),
    PolicyRule(
        "notation",
        "`notation`, `infix`, `prefix`, `postfix` and their like, `local` and `scoped` too",
        "A notation over a core operator changes what a statement means; one of an unknown word hides one.",
        'local notation a "=" b => True',
        runs_code=False,
    ),
    PolicyRule(
        "elaborator",
        "`elab`, `elab_rules`, `simproc`, `dsimproc`, `declare_config_elab` and their like",
        "Code of the proof runs in the elaborator, and can answer in the place of the audit's own commands.",
        'elab "#print" "axioms" n:ident : command => Lean.logInfo ""',
        runs_code=True,
    ),
    PolicyRule(
        "elaborator_attribute",
        "attributes that make Lean run a definition: `command_elab`, `term_elab`, `tactic`, `macro`, `simproc`, "
        "`init`, `norm_num` and `positivity` with a pattern, and their like",
        "A plain definition with such an attribute is code that Lean runs later.",
        "@[command_elab Lean.Parser.Command.check] def helper := evil",
        runs_code=True,
    ),
    PolicyRule(
        "implemented_by",
        "the attribute `implemented_by`",
        "What runs is another function than what the kernel knows; `native_decide` believes what runs.",
        "@[implemented_by liar] def honest : Bool := false",
        runs_code=True,
    ),
    PolicyRule(
        "extern",
        "the attributes `extern` and `export`",
        "What runs is foreign code, or foreign code is replaced by the proof's.",
        '@[extern "lean_nat_add"] def f (a b : Nat) : Nat := 0',
        runs_code=True,
    ),
    PolicyRule(
        "csimp",
        "the attribute `csimp`",
        "It replaces functions in compiled code, and what `#print axioms` says of it has had gaps.",
        "@[csimp] theorem f_eq_g : @f = @g := rfl",
        runs_code=False,
    ),
    PolicyRule(
        "unsafe",
        "`unsafe`, and functions that go round types: `unsafeCast`, `unsafeIO`, `ptrAddrUnsafe`, …",
        "Unsafe code corrupts memory, the kernel's too.",
        "unsafe def evil : Nat := unsafeCast 0",
        runs_code=True,
    ),
    PolicyRule(
        "meta",
        "the modifier `meta`",
        "It marks code that runs while Lean elaborates; no statement or proof needs it.",
        "meta def helper : Nat := 0",
        runs_code=True,
    ),
    PolicyRule(
        "module_file",
        "a file that begins with `module`",
        "`#print axioms` is an error in such a file, so that nothing of it can be audited.",
        "module\ntheorem target : 1 + 1 = 2 := rfl",
        runs_code=False,
    ),
    PolicyRule(
        "open_private",
        "`open private`, `export private`",
        "It reaches the private parts of Lean and its libraries, by which the kernel can be gone round.",
        "open private Environment.mk from Lean.Environment",
        runs_code=False,
    ),
    PolicyRule(
        "private_theorem",
        "a private theorem in a file that declares no theorem that others can see",
        "A private theorem cannot be named by the audit. As a helper of another theorem it is no finding: its axioms "
        "show in those of the theorem that uses it.",
        "private theorem target : 1 + 1 = 2 := rfl",
        runs_code=False,
    ),
    PolicyRule(
        "native",
        "`native_decide`, `decide +native`, `bv_decide`, `ofReduceBool` and their like",
        "They trust the compiler instead of the kernel.",
        "theorem lie : honest = true := by native_decide",
        runs_code=False,
    ),
    PolicyRule(
        "sorry_axiom",
        "`sorryAx`, `lcProof`, `lcUnreachable` and other names of proofs of anything",
        "The same as `sorry`, without its warning.",
        "theorem target : 1 + 1 = 3 := sorryAx _ false",
        runs_code=False,
    ),
    PolicyRule(
        "environment",
        "names of what changes the environment behind the kernel's back: `addDecl`, `addDeclCore`, …",
        "Declarations that the kernel never checked, or that a list of axioms does not show.",
        "addDeclCore 0 (.thmDecl d) none false",
        runs_code=True,
    ),
    PolicyRule(
        "include_file",
        "`include_str`, `include_bytes`",
        "It reads a file of the verifier's machine into the proof.",
        'def secret := include_str "/etc/hostname"',
        runs_code=False,
    ),
    PolicyRule(
        "external_tool",
        "commands and tactics that ask a server or start a program: `polyrith`, `#loogle`, `#leansearch`, …",
        "A verdict must not depend on the network, nor a proof reach it.",
        "example : 1 = 1 := by polyrith",
        runs_code=False,
    ),
    PolicyRule(
        "configuration",
        "a configuration of a tactic or an attribute that is not data: literals, `true`, `false`, constructors "
        "(`.all`), and structures and lists of these",
        "Lean compiles and runs what stands there. A tactic after `disch :=` is judged like any other.",
        "theorem target : 1 = 1 := by simp (config := { maxSteps := evil 100 })",
        runs_code=True,
    ),
    PolicyRule(
        "literal",
        "a quotation mark that is not that of a plain string on one line (without `\\`, `{`, `}` or a comment's mark), "
        "of a plain character, or of a plain quoted name; a number without its digits (`0x`); `«Prop»` and other words "
        "with which a term begins; `_root_` but at the beginning of a name",
        "Lean may read other tokens after it than we do, and goes on with the next command after an error.",
        "def a := '\"'",
        runs_code=True,
    ),
    PolicyRule(
        "quotation",
        "a backtick: a quotation, or a literal name",
        "What is quoted is not code of the file: a quoted theorem declares nothing. Only macros and metaprograms have "
        "them.",
        "def a := `b",
        runs_code=False,
    ),
    PolicyRule(
        "lexical",
        "a comment of which not every Lean says that it is one, or where it ends: glued to a symbol that a library may "
        "have, `/-- -- -/`; for Lean before 4.1 also `--/`; HTML (`open … Jsx`)",
        "What looks like a comment could be code.",
        "theorem target : a ≠-- comment",
        runs_code=True,
    ),
    PolicyRule(
        "no_token",
        "what Lean has no token for: tabs, control characters, a comment without an end",
        "Lean refuses it. It hides nothing: the words after it are judged, those in the comment too.",
        "theorem target : 1 + 1 = 2 := rfl /- the end is missing",
        runs_code=False,
    ),
    PolicyRule(
        "debug_option",
        "options whose name begins with `debug.`",
        "They switch off the kernel or replace proofs by `sorry`.",
        "set_option debug.skipKernelTC true",
        runs_code=False,
    ),
    PolicyRule(
        "warn_sorry",
        "the option `warn.sorry`",
        "It switches off the warning by which `sorry` is seen.",
        "set_option warn.sorry false",
        runs_code=False,
    ),
    PolicyRule(
        "printing",
        "options `pp.…` and `format.…`, and attributes that change how terms are printed",
        "The types in the result, and the comparison with the statement, are what Lean prints.",
        "set_option pp.notation true",
        runs_code=False,
    ),
    PolicyRule(
        "unknown_command",
        "a command that is not on the list of harmless ones, or an unknown word in the first column",
        "A list of bad words never ends. Only what is known to be harmless passes.",
        "some_command_of_a_library x",
        runs_code=True,
    ),
    PolicyRule(
        "unknown_attribute",
        "an attribute that is not on the list of harmless ones",
        "An attribute is code of a library that is run on a definition, and may run the definition.",
        "@[some_attribute] def x : Nat := 0",
        runs_code=True,
    ),
    PolicyRule(
        "unknown_option",
        "an option that is not on the list of harmless ones",
        "Options can switch off checks and messages.",
        "set_option some.option false",
        runs_code=False,
    ),
)

RULES: Mapping[str, PolicyRule] = MappingProxyType({rule.id: rule for rule in _ALL})
"""All rules, by id. docs/policy.md explains each."""
