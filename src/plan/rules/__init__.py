"""The rules of the plan: the value of each setting that is `auto` in params.yaml, and the reason for it.

Size of patches and batches, width, depth, learning rate and class weights were tried on two or three data sets, the
size of parts on a synthetic one, see benchmarks/recipe.md. The other constants are judgement, with a reason beside
each. No rule looks at the machine, so a plan is the same everywhere; memory is a setting, `train.memory_gib`.

Every rule returns the value and the reason.
"""
