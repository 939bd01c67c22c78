"""Us beside LeanInteract and kimina's server: the same machine, executable and file of proofs, one table."""
