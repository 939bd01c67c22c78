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
    private protected public noncomputable partial nonrec local scoped mutual deriving
    namespace section end open export variable variables variable? universe universes include omit in
    set_option attribute import
    #check #check_failure #print #reduce #synth #where #version #help #whnfR #whnf #simp #norm_num #conv
    #unfold #unfold? #resolve_name #instances #find_home #find_home! #long_names #long_instances
    #count_heartbeats count_heartbeats #import_path #check_assertions #discr_tree_key #discr_tree_simp_key
    #aesop_rules #adaptation_note #align #align_import #noalign #print_sorries
    assert_exists assert_not_exists assert_not_imported assert_no_sorry
    add_decl_doc library_note extend_docs recommended_spelling deprecate
    suppress_compilation unsuppress_compilation initialize_simps_projections mk_iff_of_inductive_prop
    seal unseal grind_pattern add_aesop_rules erase_aesop_rules declare_aesop_rule_sets
    @[ /-- /-! $
    """
)
"""What may begin a command. `$` begins one inside of syntax quotations only."""

CONTINUATIONS = _words(
    """
    by calc fun λ let have haveI letI let_fun show from suffices at with then else if match do for where
    termination_by termination_by' decreasing_by decreasing_with using forall exists extends return unless Prop Type
    Sort _ sorry nomatch nofun rec hiding renaming generalizing abel abel_nf absurd aesop all_goals and_intros
    any_goals apply apply_fun assumption by_cases by_contra by_contra! bound case case' cases cases' change choose
    classical clear congr congr! constructor continuity contradiction contrapose contrapose! conv conv_lhs conv_rhs
    convert convert_to decide delta dsimp erw eta_reduce exact exact? exacts exfalso existsi ext fail_if_success
    fapply field_simp fin_cases filter_upwards first focus fun_prop funext gcongr generalize group grind guard_hyp
    induction induction' infer_instance inhabit injection injections interval_cases intro intros introv iterate left
    lia lift linarith linear_combination measurability mod_cases module monotonicity next nlinarith noncomm_ring
    nontriviality norm_cast norm_num nth_rewrite nth_rw obtain omega on_goal pick_goal positivity pull_cast
    push_cast push_neg qify rcases refine refine' refine_lift rename rename_i repeat repeat' replace revert rewrite
    rfl rfl' rify right ring ring1 ring_nf rintro rotate_left rotate_right rsuffices rw rw_mod_cast rwa set simp
    simp? simp_all simp_all? simp_arith simp_rw simpa simpa? skip slice_lhs slice_rhs solve_by_elim specialize split
    split_ifs stop subst subst_eqs subst_vars swap symm symm_saturate tauto tfae_finish tfae_have trans transitivity
    trivial try unfold unfold_let use wlog zify
    """
)
"""Words of terms and tactics with which people begin a line in the first column. None begins a command."""

ASKING_FOR_MORE = _words(
    ":= : , => ↦ | <| |> ▸ = ≠ < > ≤ ≥ + / ∧ ∨ ¬ → -> ↔ ∈ ∉ ∘ ∣ ∀ ∃ ( [ { ⟨ "  # noqa: RUF001 -- Lean's symbols
    "theorem lemma def abbrev alias by from fun λ using with"
)
"""Tokens after which no command can begin, so that a word in the first column is no more than a badly broken line."""

HARMLESS_ATTRIBUTES = _words(
    """
    simp simp! simp? simps simps! simps? ext ext! norm_cast push_cast pull_cast norm_num positivity push_neg push pull
    field_simps mfld_simps parity_simps ghost_simps rclike_simps qify_simps zify_simps rify_simps integral_simps
    functor_norm monad_norm typevec nontriviality fin_omega enat_to_nat_top enat_to_nat_coe pnat_to_nat_coe
    mon_tauto simprocs_simps coassoc_simps seval bv_normalize bv_normalize_simps bv_toNat int_toBitVec bool_to_prop
    boolToPropSimps bitvec_to_nat is_poly grind_norm
    refl rfl symm trans congr gcongr gcongr_forward mono monotonicity bound
    aesop aesop? grind grind! grind? fun_prop continuity measurability measurable arith_mult algebraize
    instance default_instance defaultInstance class reducible semireducible irreducible implicit_reducible
    instance_reducible inline always_inline alwaysInline noinline macro_inline macroInline inline_if_reduce
    inlineIfReduce specialize nospecialize never_extract neverExtract unbox
    elab_as_elim elabAsElim elab_with_expected_type elabWithExpectedType elab_without_expected_type
    elabWithoutExpectedType elab_simple infer_tc_goals_rl inferTCGoalsRL match_pattern matchPattern recursor
    eliminator induction_eliminator cases_eliminator custom_eliminator univ_out_params
    to_additive to_additive? to_additive! to_additive_existing to_dual to_dual? to_app mk_iff reassoc elementwise
    higher_order alias deprecated deprecated_arg suggest_for inherit_doc nolint expose no_expose defeq backward_defeq
    eqns spec mvcgen_simp wf_preprocess partial_fixpoint_monotone stacks kerodon wikidata
    category AMS formal_proof
    """
)
"""Attributes of lemmas, instances, reducibility, elaboration order and documentation; the last line has those of
the formal-conjectures library."""

WITHOUT_ARGUMENTS = _words("norm_num positivity gcongr_forward")
"""Harmless attributes that, with an argument, mark code that a tactic runs."""

HARMLESS_OPTIONS = _words(
    """
    maxHeartbeats maxRecDepth maxSynthPendingDepth maxUniverseOffset maxCoeSize maxTraceChildren
    maxBackwardChainingDepth autoImplicit relaxedAutoImplicit autoBoundImplicitLocal autoLift smartUnfolding
    synthInstance.maxHeartbeats synthInstance.maxSize synthInstance.etaExperiment synthInstance.checkSynthOrder
    synthInstance.canonInstances exponentiation.threshold diagnostics diagnostics.threshold warningAsError
    tactic.hygienic tactic.simp.trace tactic.skipAssignedInstances tactic.fun_induction.unfolding
    tactic.customEliminators simprocs checkBinderAnnotations genInjectivity genSizeOf genSizeOfSpec
    match.ignoreUnusedAlts inductive.autoPromoteIndices structureDiamondWarning quotPrecheck.allowSectionVars
    showInferredTerminationBy Elab.async profiler profiler.threshold trace.profiler
    aesop.check.all aesop.check.script aesop.check.proofReconstruction aesop.warn.applyIff aesop.warn.nonterminal
    aesop.dev.statefulForward aesop.dev.optimizedDynamicStructuring aesop.dev.dynamicStructuring
    aesop.dev.generateScript aesop.smallErrorMessages aesop.collectStats aesop.collectStatistics
    grind.warning mvcgen.warning says.verify says.no_verify_in_CI push_neg.use_distrib lang.lemmaCmd
    allowUnsafeReducibility compiler.reuse compiler.extract_closed compiler.maxRecInline
    eval.pp eval.type eval.derive.repr
    """
)

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

COMMAND_RULES = _rules(
    axiom="axiom init_quot",
    exit="#exit",
    guard_msgs="#guard_msgs #guard_panic #guard_expr #check_simp #check_tactic #check_tactic_failure",
    eval="#eval #eval! #guard #test #sample #html #widget #browse #lint #time",
    run_code="run_cmd run_elab run_meta lrat_proof show_panel_widgets",
    initialize="""initialize builtin_initialize register_builtin_option register_option register_simp_attr
        register_label_attr register_parser_alias register_tactic_tag register_grind_attr register_hint
        register_try?_tactic register_linter_set register_error_explanation""",
    macro="macro macro_rules syntax declare_syntax_cat",
    notation="""notation notation3 infix infixl infixr infix3 infixl3 infixr3 prefix postfix prefix3 postfix3
        binder_predicate unif_hint""",
    elaborator="""elab elab_rules elab_stx_quot simproc dsimproc simproc_decl dsimproc_decl builtin_simproc
        builtin_dsimproc builtin_simproc_decl builtin_dsimproc_decl cbv_simproc cbv_simproc_decl builtin_cbv_simproc
        declare_config_elab declare_command_config_elab declare_term_config_elab declare_simp_like_tactic
        grind_propagator builtin_grind_propagator""",
    unsafe="unsafe",
    meta="meta",
    external_tool="#loogle #leansearch #moogle #search #statesearch #premise_search #leanstatesearch",
)
"""Words of commands that are a finding wherever they stand, whether the environment knows them or not."""

TERM_RULES = _rules(
    eval="eval%",
    run_code="""run_tac run_conv by_elab tactic success_if_fail_with_msg with_panel_widgets from_lrat plausible
        slim_check mk_rpc_widget mkRpcWidget println! timeit allocprof dbgTrace dbgTraceVal dbgTraceIfShared
        dbgSleep dbgStackTrace runST runEST""",
    native="native native_decide bv_decide bv_decide? bv_check",
    include_file="include_str include_bytes",
    external_tool="polyrith hammer suggest_premises sagecell llmstep llmqed",
)
"""Words of terms and tactics that are a finding wherever they stand. `native` is that of `decide +native`, `tactic`
that of aesop's rules made of a tactic. Lean compiles and runs the string that `success_if_fail_with_msg` is given, the
widgets of `with_panel_widgets`, the certificates of `from_lrat`, and the goal of `plausible` and `slim_check`.
`println!` and the functions after it make something that does something without a name of METAPROGRAMMING: in 2021 a
definition that hides it is pure, and one whose type is found by unification becomes a tactic."""

NAME_RULES = _rules(
    sorry_axiom="sorryAx lcProof lcUnreachable lcAny lcErased lcVoid",
    native="ofReduceBool ofReduceNat reduceBool reduceNat trustCompiler nativeDecide",
    unsafe="""unsafeCast unsafeIO unsafePerformIO unsafeBaseIO unsafeEIO unsafeST ptrAddrUnsafe ptrEqList
        withPtrAddrUnsafe withPtrEqUnsafe unsafeAssert lcUnsafe""",
    environment="""addDecl addDeclCore addDeclWithoutChecking addAndCompile addAndCompileUnsafe
        enableInitializersExecution loadDynlib""",
    run_code="autoParam",
    lexical="Jsx",
)
"""Names of constants that are a finding wherever they stand, as parts of longer names too. What `autoParam` names is
syntax that Lean builds by running a definition, and runs as a tactic."""

METAPROGRAMMING = _words(
    """
    Lean IO EIO BaseIO EStateM System Elab Meta Tactic TacticM MetaM CoreM TermElabM CommandElabM Syntax TSyntax
    SourceInfo Aesop RuleTac SingleRuleTac SimpleRuleTac Linarith Qq ProofWidgets Internal UV Async
    mkAtom mkIdent mkNode mkStr toName getKind setKind setArg setArgs modifyArg modifyArgs
    """
)
"""Parts of names without one of which no code can be written that does something, or that makes syntax. No proof needs
them: of 2,697 public files that have no other finding, none has one but for the names below."""

METAPROGRAMMING_SHORT = _words("atom ident missing str anonymous mkSimple")
"""The same after a dot alone (`.atom`): constructors of syntax and of names, whose type Lean finds by unification."""

LEMMAS_OF_LEAN = ("Lean.Grind.", "Lean.Omega.", "Lean.Elab.WF.", "Lean.Meta.TransparencyMode.")
"""Beginnings of names that are no metaprogram: lemmas that tactics print, and constructors of configurations."""

ATTRIBUTE_RULES = _rules(
    implemented_by="implemented_by implementedBy",
    extern="extern export",
    csimp="csimp",
    elaborator_attribute="""
        command_elab commandElab builtin_command_elab builtinCommandElab term_elab termElab builtin_term_elab
        builtinTermElab tactic builtin_tactic builtinTactic macro builtin_macro builtinMacro doElem_elab
        builtin_doElem_elab command_parser commandParser term_parser termParser tactic_parser tacticParser
        doElem_parser doElemParser attr_parser attrParser prio_parser prioParser prec_parser precParser stx_parser
        stxParser level_parser structInstFieldDecl_parser builtin_command_parser builtinCommandParser
        builtin_term_parser builtinTermParser builtin_tactic_parser builtinTacticParser builtin_attr_parser
        builtinAttrParser builtin_doElem_parser builtinDoElemParser builtin_level_parser builtinLevelParser
        builtin_prec_parser builtinPrecParser builtin_prio_parser builtinPrioParser builtin_syntax_parser
        builtinSyntaxParser run_parser_attribute_hooks runParserAttributeHooks run_builtin_parser_attribute_hooks
        runBuiltinParserAttributeHooks init builtin_init builtinInit simproc dsimproc simprocAttr simprocBuiltinAttr
        sevalproc sevalprocAttr builtin_simproc builtin_sevalproc cbv_simproc quot_precheck quotPrecheck
        builtin_quot_precheck builtinQuotPrecheck incremental builtin_incremental deriving_handler env_linter
        code_action_provider builtin_code_action_provider command_code_action builtin_command_code_action
        tactic_code_action hole_code_action builtin_code_action server_rpc_method server_rpc_method_cancellable
        builtin_server_rpc_method widget_module widget builtin_widget_module unification_hint unificationHint
        unif_hint grind_propagator grindPropagatorBuiltinAttr norm_num_ext positivity_ext try_suggestion
        unused_variables_ignore_fn builtin_unused_variables_ignore_fn missing_docs_handler
        builtin_missing_docs_handler inductive_elab builtin_inductive_elab structure_elab doc_role doc_code_block
        doc_directive doc_command builtin_doc_role library_suggestions""",
    printing="""app_unexpander appUnexpander delab app_delab builtin_delab builtinDelab formatter parenthesizer
        builtin_formatter builtin_parenthesizer builtinFormatter builtinParenthesizer combinator_formatter
        combinator_parenthesizer combinatorFormatter combinatorParenthesizer category_parenthesizer
        category_formatter categoryParenthesizer builtin_category_parenthesizer builtinCategoryParenthesizer
        pp_nodot pp_using_anonymous_constructor pp_with_univ pp_dot coe coe_decl""",
)

CONFIGURATIONS = _words("config cfg configuration simp_config norm_config closer disch discharger discharge")
"""Names of arguments that are a configuration, or part of one, wherever they stand."""

CONFIGURED = _words(
    """
    simp simp! simp? simp?! simp_all simp_all! simp_all? simp_all?! simp_all_arith simp_all_arith! simp_arith
    simp_arith! simpa simpa! simpa? simpa?! simp_rw simp_intro dsimp dsimp! dsimp? dsimp?! simproc simprocs autounfold
    rw rw! rwa erw rewrite nth_rw nth_rewrite grw grewrite nth_grw nth_grewrite decide native_decide
    omega bv_omega bv_decide bv_decide? bv_normalize grind grind? grobner cutsat lia linarith linarith! linarith?
    nlinarith nlinarith! nlinarith? polyrith positivity norm_num norm_num1 norm_cast norm_cast0 push_cast pull_cast
    exact_mod_cast apply_mod_cast assumption_mod_cast rw_mod_cast mod_cast ring ring! ring_nf ring_nf! ring1 ring1_nf
    ring1_nf! abel abel! abel1 abel_nf abel_nf! group noncomm_ring field field_simp linear_combination
    linear_combination2 linear_combination' module match_scalars
    gcongr rel mono congr congr! convert convert_to apply exact refine fapply eapply apply_assumption apply_rules
    solve_by_elim apply_ext_theorem ext ext1 ext? funext fun_prop continuity continuity? measurability measurability?
    measurability! aesop aesop? aesop_cat aesop_cat? cat_disch aesop_graph aesop_mat aesop_unfold bound finiteness
    tauto itauto cc push_neg push push? pull split split_ifs interval_cases fin_cases generalize generalize_proofs
    extract_goal extract_lets lift_lets let_to_have induction cases rcases observe observe? exact? apply? rw? rw??
    hint try? mvcgen mspec mintro reduce_mod_char compute_degree compute_degree! monicity monicity! order
    conv conv_lhs conv_rhs pattern enter simp_lhs arg norm_num_lhs plausible slim_check says show_term
    zify qify rify pick_goal unfold unfold_projs eta_expand eta_reduce beta_reduce
    #simp #norm_num #conv #whnf #whnfR
    simps simps! simps? simps!? initialize_simps_projections ext_iff to_additive to_additive? to_dual
    reassoc elementwise
    """
)
"""Tactics and attributes that take a configuration; joined with what the environment knows as a tactic.

Looked up in the source: how each is evaluated (`declare_config_elab`, Lean's `src/Lean/Elab/Tactic/Config.lean`:
without the local context, and past errors in other items); `omega` (`src/Lean/Elab/Tactic/Omega/Config.lean`);
`grind`, `cutsat`, `grobner` (`src/Lean/Elab/Tactic/Grind/Main.lean`); `linarith`, `nlinarith`
(`Mathlib/Tactic/Linarith/Frontend.lean`); `apply` (`Mathlib/Tactic/ApplyWith.lean`, by `evalTerm`);
`generalize_proofs` (`Mathlib/Tactic/GeneralizeProofs.lean`); `grw`, `grewrite` and `enat_to_nat` by their
`declare_config_elab`. The others are from the libraries' documentation: a word too many costs a finding only where a
named argument that is no data follows it."""

LEMMAS_AND_TACTICS = _words("rfl rfl' refl symm trans mono left right funext")
"""Tactics without a configuration whose names are those of lemmas, too: named arguments after them are a term's."""

DISCHARGED = _words(
    """
    simp simp! simp? simp?! simp_all simp_all! simp_all? simp_all?! simp_arith simp_arith! simpa simpa! simpa? simpa?!
    simp_rw simp_intro dsimp norm_num norm_num1 push_cast push_neg push pull field field_simp fun_prop ring_nf abel_nf
    linear_combination linear_combination2 linear_combination' gcongr cancel_denoms reduce_mod_char continuity
    measurability conv
    """
)
"""Those of whose grammar `disch :=`, `discharger :=` or `norm :=` is a part, with a tactic (`Init/Meta.lean`,
`Mathlib/Tactic/FieldSimp.lean`, `FunProp/Elab.lean`, `LinearCombination.lean`). For any other it is a term that is
run."""

TACTIC_ARGUMENTS = _words("disch discharger norm")

HARMLESS_ARGUMENTS = _words("attr since priority rule_sets iff reorder motive")
"""Names of arguments whose values Lean does not run: words of a grammar of their own, or terms of a type."""

DATA_NAMES = _words(
    """
    true false none some instances reducible all
    TransparencyMode.all TransparencyMode.default TransparencyMode.reducible TransparencyMode.instances
    Lean.Meta.TransparencyMode.all Lean.Meta.TransparencyMode.default Lean.Meta.TransparencyMode.reducible
    Lean.Meta.TransparencyMode.instances Occurrences.all Occurrences.pos Occurrences.neg
    """
)
"""Names of constructors that people write in configurations without a dot before them."""

_KNOWN_COMMANDS = _words(
    """
    #aesop_stats #count_heartbeats! #dump_async_env_state #expr_graph #find #find_imports #find_syntax
    #grind_lint #list_linters #minimize_imports #redundant_imports #show_kind #show_unused #with_exporting
    assert_unused compile_def% compile_inductive% count_heartbeats! declare_int_theorems declare_uint_theorems
    deprecated_module deprecated_syntax docs_to_verso end_local_scope gen_injective_theorems%
    insert_to_additive_translation restate_axiom set_library_suggestions set_premise_selector
    tactic_extension whatsnew with_weak_namespace
    """
)

SHIPPED_COMMANDS = HARMLESS_COMMANDS | _KNOWN_COMMANDS | frozenset(COMMAND_RULES)
SHIPPED_ATTRIBUTES = HARMLESS_ATTRIBUTES | frozenset(ATTRIBUTE_RULES)
SHIPPED_OPTIONS = HARMLESS_OPTIONS | _words(
    """
    Elab.inServer Elab.resolveInlineAsync aesop.stats.file bootstrap.genMatcherCode
    bootstrap.inductiveCheckResultingUniverse codegen compiler.check compiler.checkTypes compiler.enableNew
    compiler.relaxedMetaCheck compiler.small debug.Elab.async debug.bv debug.byAsSorry debug.moduleNameAtTimeout
    debug.proofAsSorry debug.rawDecreasingByGoal debug.simp.check.have debug.skipKernelTC
    debug.terminalTacticsAsSorry doc.verso doc.verso.module experimental.module format.indent format.inputs
    format.unicode format.width guard_msgs.diff hygiene internal.cmdlineSnapshots
    internal.parseQuotWithCurrentStage interpreter.prefer_native pp.all pp.analyze pp.auxDecls pp.beta
    pp.binderTypes pp.binder_types pp.coercions pp.coercions.types pp.deepTerms pp.deepTerms.threshold
    pp.explicit pp.exprSizes pp.fieldNotation pp.fieldNotation.generalized pp.foralls pp.fullNames pp.full_names
    pp.funBinderTypes pp.fvars.anonymous pp.implementationDetailHyps pp.inaccessibleNames pp.instanceTypes
    pp.instances pp.instantiateMVars pp.letVarTypes pp.macroStack pp.match pp.maxSteps pp.mdata pp.motive.all
    pp.motive.dep pp.motive.nonDep pp.motive.pi pp.mvars pp.mvars.levels pp.mvars.withType pp.natLit pp.notation
    pp.numericTypes pp.oneline pp.parens pp.piBinderTypes pp.privateNames pp.private_names pp.proofs
    pp.proofs.threshold pp.proofs.withType pp.raw pp.raw.maxDepth pp.raw.showInfo pp.rawOnError pp.safeShadowing
    pp.safe_shadowing pp.sanitizeNames pp.showLetValues pp.showLetValues.threshold pp.sorrySource
    pp.structureInstanceTypes pp.structureInstances pp.structureInstances.flatten pp.structure_instance_type
    pp.structure_instances pp.structure_projections pp.tagAppFns pp.unicode pp.unicode.fun pp.universes
    printMessageEndPos quotPrecheck sat.solver sat.timeout server.stderrAsMessages showPartialSyntaxErrors
    stderrAsMessages trace.profiler.output trace.profiler.output.pp trace.profiler.threshold
    trace.profiler.useHeartbeats warn.redundantExpose warn.sorry
    """
)
"""Options of 2021 and of today; those that begin with `trace.`, `linter.` and `backward.` are left out."""
