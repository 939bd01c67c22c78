"""The policy's words: what is harmless, what is known to be harmful and by which rule. Data only.

Sources: the grammar of Lean 4 of 2021 and of today, of Batteries, Aesop and Mathlib (docs/policy.md says how the
lists were made). A word that is on no list is a finding where it begins a command or names an attribute or an option.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _rules(**words: str) -> Mapping[str, str]:
    """Rule by word, from the words by rule."""
    return MappingProxyType({word: rule for rule, text in words.items() for word in text.split()})


HARMLESS_COMMANDS = _words(
    """
    theorem lemma def abbrev example instance structure class inductive coinductive opaque constant
    irreducible_def recall alias proof_wanted
    private protected public noncomputable partial nonrec local scoped mutual where deriving
    namespace section end open export variable variables variable? universe universes include omit in
    set_option attribute import
    #check #check_failure #print #reduce #synth #where #version #help #whnf #simp #norm_num #conv #unfold #unfold?
    #resolve_name #instances #find_home #find_home! #long_names #long_instances #count_heartbeats count_heartbeats
    #adaptation_note #align #align_import #noalign #print_sorries #print_sorry_in
    assert_exists assert_not_exists assert_not_imported assert_no_sorry add_decl_doc library_note
    suppress_compilation unsuppress_compilation initialize_simps_projections mk_iff_of_inductive_prop
    seal unseal grind_pattern add_aesop_rules erase_aesop_rules declare_aesop_rule_sets
    @[ /-- /-! $
    """
)
"""What may begin a command. `$` begins one inside of syntax quotations only."""

CONTINUATIONS = _words(
    """
    by calc fun λ let have haveI letI let_fun show from suffices at with then else if match do for in where
    termination_by termination_by' decreasing_by decreasing_with using forall exists assume extends return unless
    Prop Type Sort _ sorry nomatch nofun rec hiding renaming generalizing
    abel abel_nf absurd aesop all_goals and_intros any_goals apply apply_fun assumption by_cases by_contra by_contra!
    bound calc case case' cases cases' change choose classical clear congr congr! constructor continuity contradiction
    contrapose contrapose! conv conv_lhs conv_rhs convert convert_to decide delta dsimp erw eta_reduce exact exact?
    exacts exfalso existsi ext exacts fail_if_success fapply field_simp fin_cases filter_upwards first focus fun_prop
    funext gcongr generalize group grind guard_hyp have haveI induction induction' infer_instance inhabit injection
    injections interval_cases intro intros introv iterate left let lia lift linarith linear_combination
    measurability mod_cases module monotonicity next nlinarith noncomm_ring nontriviality norm_cast norm_num
    nth_rewrite nth_rw obtain omega on_goal pick_goal positivity positivity pull_cast push_cast push_neg qify rcases
    refine refine' refine_lift rename rename_i repeat repeat' replace revert rewrite rfl rfl' rify right ring ring1
    ring_nf rintro rintro rotate_left rotate_right rsuffices rw rw_mod_cast rwa set set_option show simp simp? simp_all
    simp_all? simp_arith simp_rw simpa simpa? skip slice_lhs slice_rhs solve_by_elim specialize split split_ifs stop
    subst subst_eqs subst_vars suffices swap symm symm_saturate tauto tfae_finish tfae_have trans transitivity trivial
    try unfold unfold_let unit_interval use wlog zify
    """
)
"""Words of terms and tactics with which people begin a line in the first column. None begins a command."""

HARMLESS_ATTRIBUTES = _words(
    """
    simp simps simp_arith dsimp simprocs ext norm_cast push_cast norm_num norm_num_simp norm_num1 field_simps
    mfld_simps parity_simps ghost_simps functor_norm monad_norm typevec typevec_simps
    qify_simps zify_simps rify_simps pnat_to_nat_simps nontriviality_simps pull_cast push_neg push pull
    bool_to_prop coassoc_simps stacks_simps integral_simps equiv_rw_simp simp_lex seval simproc_simps
    bitvec_to_nat bv_normalize bv_toNat int_toBitVec boolToPropSimps
    and_assoc is_poly rclike_simps sinh_simps trig_simps
    refl rfl symm trans congr gcongr gcongr_forward mono monotonicity bound positivity
    aesop grind grind_cases lia cutsat fun_prop continuity measurability measurable cont_diff differentiability
    instance default_instance defaultInstance class reducible semireducible irreducible implicit_reducible
    instance_reducible inline always_inline alwaysInline noinline macro_inline macroInline inline_if_reduce
    inlineIfReduce specialize nospecialize never_extract neverExtract unbox
    abstract_type elab_as_elim elabAsElim elab_with_expected_type elabWithExpectedType elab_without_expected_type
    elabWithoutExpectedType elab_simple infer_tc_goals_rl inferTCGoalsRL match_pattern matchPattern recursor
    induction_eliminator cases_eliminator eliminator rec_eliminator custom_eliminator
    univ_out_params computed_fields cond_type
    to_additive to_dual to_app mk_iff reassoc reassoc_assoc elementwise higher_order alias deprecated
    inherit_doc nolint expose no_expose exposed irreducible_def local_instance defeq backward_defeq eqns unfold
    simps! simps? grind! grind? to_additive? to_additive! to_dual? mk_iff! reassoc! elementwise! ext! aesop?
    fixed_point mvcgen_spec spec mvcgen_simp mvcgen_invariant_type wf_preprocess partial_fixpoint_monotone
    informal informal_result stacks kerodon wikidata crossref protect_proj pattern ematch intro!
    suggest_for deprecated_arg deprecated_alias tactic_alt tactic_tag app_elab_hint
    symm_saturate cases_on rcases_on subst order_dual order_simps category_theory
    """
) - {"and_assoc", "sinh_simps", "trig_simps", "cases_on", "rcases_on", "subst", "app_elab_hint", "local_instance"}

WITHOUT_ARGUMENTS = _words("norm_num positivity push_cast gcongr_forward")
"""Harmless attributes that, with an argument, mark code that a tactic runs."""

HARMLESS_OPTIONS = _words(
    """
    maxHeartbeats maxRecDepth maxSynthPendingDepth maxUniverseOffset maxCoeSize maxTraceChildren
    maxBackwardChainingDepth autoImplicit relaxedAutoImplicit autoBoundImplicitLocal autoLift autoPromoteIndices
    autoUnfold smartUnfolding synthInstance.maxHeartbeats synthInstance.maxSize synthInstance.etaExperiment
    synthInstance.checkSynthOrder synthInstance.canonInstances exponentiation.threshold
    tactic.hygienic tactic.simp.trace tactic.dbg_cache tactic.skipAssignedInstances tactic.fun_induction.unfolding
    tactic.customEliminators tactic.alt.dbg_cache simprocs simp.rsimp simprocs.rsimp
    checkBinderAnnotations genInjectivity genSizeOf genSizeOfSpec
    match.ignoreUnusedAlts inductive.autoPromoteIndices structure.eta_struct structureDiamondWarning
    quotPrecheck.allowSectionVars showInferredTerminationBy showTacticInfo
    Elab.async stderrAsMessages profiler profiler.threshold
    aesop.check.all aesop.check.script aesop.check.proofReconstruction aesop.warn.applyIff aesop.warn.nonterminal
    aesop.dev.statefulForward aesop.dev.optimizedDynamicStructuring aesop.dev.dynamicStructuring
    aesop.dev.generateScript aesop.smallErrorMessages aesop.collectStats aesop.collectStatistics
    grind.warning grind.debug.proofs grind.param.codeAction experimental.module mvcgen.warning
    polyrith.timeout says.verify says.no_verify_in_CI push_neg.use_distrib Mathlib.Tactic.TFAE.useDeprecated
    congr.consumePattern lang.lemmaCmd allowUnsafeReducibility allow_unsafe_reducibility
    compiler.reuse compiler.extract_closed compiler.maxRecInline compiler.enableNew compiler.small compiler.check
    eval.pp eval.type eval.derive.repr cdot hygiene messageWithOptions
    """
) - {"cdot", "hygiene", "grind.debug.proofs", "messageWithOptions", "autoUnfold"}

HARMLESS_OPTION_PREFIXES = ("linter.", "weak.linter.", "trace.", "backward.", "weak.backward.")

OPTION_RULES: tuple[tuple[str, str], ...] = (
    ("debug.", "debug_option"),
    ("weak.debug.", "debug_option"),
    ("warn.sorry", "warn_sorry"),
    ("weak.warn.sorry", "warn_sorry"),
    ("pp.", "printing"),
    ("weak.pp.", "printing"),
    ("format.", "printing"),
    ("weak.format.", "printing"),
    # These come after the harmless prefix of their own that they begin with: a file is written, a log is not one.
    ("trace.profiler.", "unknown_option"),
)
"""Rules of options by what their name begins with, before any list of harmless ones."""

WORD_RULES = _rules(
    axiom="axiom init_quot",
    exit="#exit",
    guard_msgs="#guard_msgs #guard_msgs_in #guard_panic #check_simp #check_tactic #check_tactic_failure #guard_expr",
    eval="#eval #eval! #eval_ #guard #test #sample #html #widget #reduce_proof #time #browse #lint",
    run_code="run_cmd run_elab run_meta run_tac run_tac? run_conv by_elab tactic #run #run_cmd",
    initialize="""initialize builtin_initialize register_builtin_option register_option register_simp_attr
        register_label_attr register_tag_attr register_parser_alias register_tactic_tag register_grind_attr
        register_hint register_try?_tactic register_linter_set register_error_explanation
        register_ordered_basis register_sym_simp""",
    macro="macro macro_rules syntax declare_syntax_cat",
    notation="""notation notation3 infix infixl infixr infix3 infixl3 infixr3 prefix postfix prefix3 postfix3
        binder_predicate add_binder_predicate unif_hint""",
    elaborator="""elab elab_rules elab_stx_quot simproc dsimproc simproc_decl dsimproc_decl builtin_simproc
        builtin_dsimproc builtin_simproc_decl builtin_dsimproc_decl builtin_simproc_pattern% simproc_pattern%
        declare_config_elab declare_command_config_elab declare_term_config_elab declare_config_getter
        declare_simp_like_tactic declare_aesop_exception
        grind_propagator builtin_grind_propagator norm_num_extension declare_bitwise_simprocs""",
    unsafe="unsafe",
    meta="meta",
    native="native native_decide bv_decide bv_decide? bv_check",
    include_file="include_str include_bytes",
    external_tool="""polyrith #loogle #leansearch #moogle #search #statesearch #premise_search #leanstatesearch
        hammer suggest_premises sagecell llmstep llmqed sagify moogle leansearch loogle""",
    interpolated_string="""dbg_trace throwError throwErrorAt throwNamedError throwNamedErrorAt logNamedError
        logNamedErrorAt logNamedWarning logNamedWarningAt throwTacticEx println! print! reportIssue! m! reportDbgIssue!
        throwErrorAt? throwPRError throwInterrupt""",
)
"""Words that are a finding wherever they stand."""

NAME_RULES = _rules(
    sorry_axiom="sorryAx lcProof lcUnreachable lcAny lcErased lcVoid",
    native="ofReduceBool ofReduceNat reduceBool reduceNat trustCompiler nativeDecide",
    unsafe="""unsafeCast unsafeIO unsafePerformIO unsafeBaseIO unsafeEIO unsafeST ptrAddrUnsafe ptrEqList
        withPtrAddrUnsafe withPtrEqUnsafe unsafeAssert lcUnsafe""",
    environment="""addDecl addDeclCore addDeclWithoutChecking addAndCompile addAndCompileUnsafe
        enableInitializersExecution loadDynlib""",
    lexical="Jsx",
)
"""Last parts of names of constants (of the whole name or any part of it) that are a finding wherever they stand."""

ATTRIBUTE_RULES = _rules(
    implemented_by="implemented_by implementedBy",
    extern="extern export",
    csimp="csimp",
    elaborator_attribute="""
        command_elab commandElab builtin_command_elab builtinCommandElab term_elab termElab builtin_term_elab
        builtinTermElab tactic builtin_tactic builtinTactic macro builtin_macro builtinMacro
        command_parser commandParser term_parser termParser tactic_parser tacticParser doElem_parser doElemParser
        attr_parser attrParser prio_parser prioParser prec_parser precParser stx_parser stxParser level_parser
        builtin_command_parser builtin_term_parser builtin_tactic_parser builtinCommandParser builtinTermParser
        builtinTacticParser run_parser_attribute_hooks run_builtin_parser_attribute_hooks runParserAttributeHooks
        runBuiltinParserAttributeHooks init builtin_init builtinInit simproc dsimproc simprocAttr simprocBuiltinAttr
        sevalprocAttr sevalproc builtin_simproc elab_rules do_elab doElab conv_elab quot_precheck quotPrecheck
        builtin_quot_precheck incremental builtin_incremental deriving_handler env_linter linter code_action
        command_code_action tactic_code_action hole_code_action builtin_code_action server_rpc_method
        server_rpc_method_cancellable widget_module widget builtin_widget_module missing_docs_handler
        builtin_missing_docs_handler norm_num_ext positivity_ext unification_hint unificationHint
        grind_propagator grindPropagatorAttr reduce_mod_char compute_degree algebra_ext inductive_elab app_elab
        term_parenthesizer run_tac try_tactic try_suggestion cbv_simproc doc_role doc_code_block doc_directive
        doc_command builtin_doc extern_lib specialize_attr polyrith translate_attr plausible library_suggestions
        structure_command_elab builtin_structInst extra_elab tactic_elab linear_forms_parser""",
    printing="""app_unexpander appUnexpander delab app_delab builtin_delab builtinDelab formatter parenthesizer
        builtin_formatter builtin_parenthesizer builtinFormatter builtinParenthesizer combinator_formatter
        combinator_parenthesizer combinatorFormatter combinatorParenthesizer category_parenthesizer
        category_formatter categoryParenthesizer builtin_category_parenthesizer builtinCategoryParenthesizer
        pp_nodot pp_using_anonymous_constructor pp_with_univ pp_dot coe coe_decl""",
)

INTERPOLATED_PREFIXES = _words("trace aesop_trace aesop_trace! reportIssue grind_trace")
"""Words that, with a `[` right after them, read the string after the `]` as code."""

PERCENT_RULES = _rules(eval="eval", unknown_command="compile_def compile_inductive gen_injective_theorems")
"""Words that are a finding with a `%` glued to them."""

SHIPPED_COMMANDS = HARMLESS_COMMANDS | _words("")
SHIPPED_ATTRIBUTES: frozenset[str] = frozenset()
SHIPPED_OPTIONS: frozenset[str] = frozenset()
