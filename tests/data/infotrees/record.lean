/- Prints the infotrees of a Lean file as the REPL of leanprover-community/repl words them (`"infotree": "tactics"`),
with the API of a Lean of 2021: a JSON list of {"kind", "node", "children"}. -/
import Lean
open Lean Lean.Elab

def positionJson (p : Position) : Json :=
  Json.mkObj [("line", toJson p.line), ("column", toJson p.column)]

def stxJson (ctx : ContextInfo) (stx : Syntax) (pp : String) : Json :=
  let start := stx.getPos?.getD 0
  let finish := stx.getTailPos?.getD start
  let synthetic := match stx.getHeadInfo with
    | SourceInfo.original .. => false
    | _ => true
  Json.mkObj [
    ("pp", pp),
    ("kind", toString stx.getKind),
    ("argKinds", Json.arr (stx.getArgs.map fun s => (toString s.getKind : Json))),
    ("range", Json.mkObj [
      ("synthetic", synthetic),
      ("start", positionJson (ctx.fileMap.toPosition start)),
      ("finish", positionJson (ctx.fileMap.toPosition finish))])]

def goals (ctx : ContextInfo) (mctx : MetavarContext) (gs : List MVarId) : IO Json := do
  let texts ← gs.mapM fun g => do
    let goal ← { ctx with mctx := mctx }.runMetaM {} (Meta.ppGoal g)
    return ((toString goal : String) : Json)
  return Json.arr texts.toArray

def tacticJson (ctx : ContextInfo) (i : TacticInfo) : IO Json := do
  let pp := (i.stx.reprint.getD "<failed to pretty print>").trim
  return Json.mkObj [
    ("name", match i.stx with | Syntax.node n _ => (toString n : Json) | _ => Json.null),
    ("stx", stxJson ctx i.stx pp),
    ("goalsBefore", ← goals ctx i.mctxBefore i.goalsBefore),
    ("goalsAfter", ← goals ctx i.mctxAfter i.goalsAfter)]

partial def treeJson (ctx? : Option ContextInfo) : InfoTree → IO (Array Json)
  | InfoTree.context ctx t => treeJson (some ctx) t
  | InfoTree.node info children => do
    let inner ← children.toArray.mapM (treeJson (info.updateContext? ctx?))
    let inner := inner.foldl (· ++ ·) #[]
    match info, ctx? with
    | Info.ofTacticInfo i, some ctx =>
      let node ← tacticJson ctx i
      return #[Json.mkObj [("kind", "TacticInfo"), ("node", node), ("children", Json.arr inner)]]
    | _, _ => return inner
  | _ => return #[]

def main (args : List String) : IO UInt32 := do
  initSearchPath (← IO.getEnv "LEAN_PATH")
  let path := args.head!
  let text ← IO.FS.readFile path
  let input := Parser.mkInputContext text path
  let (header, parser, messages) ← Parser.parseHeader input
  let (env, messages) ← processHeader header {} messages input
  let state := Command.mkState env messages {}
  let state := { state with infoState := { state.infoState with enabled := true } }
  let final ← IO.processCommands input parser state
  for m in final.commandState.messages.toList do
    IO.eprintln (← m.toString)
  let s := final.commandState.infoState
  let mut all := #[]
  for tree in s.trees.toArray do
    all := all ++ (← treeJson none (tree.substitute s.assignment))
  IO.println (toString (Json.arr all).compress)
  return 0
