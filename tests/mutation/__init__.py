"""Mutation testing: small faults planted in the simulator, which the conformance suite must notice.

    python -m tests.mutation --sample 220 --seed 1 --jobs 2

draws mutants of the modules in `rules.FILES`, runs for each the cases that execute the changed line
(a measured map of the whole suite, kept in .mutants/ until a file changes), stops at the first
failure, and prints the score and the survivors. A survivor that cannot be told from the original is
explained in survivors.yaml; the command complains about survivors without an explanation and about
explanations that are no longer true. Its exit code says whether the floor is met. It needs the
package `coverage`.

Why not a library: mutmut 3 leaves out decorated functions and module-level tables and draws no
sample; cosmic-ray removes no statements, mutates the working tree in place, one mutant at a time,
and has neither samples nor a choice of tests per mutant. What is missing is most of what is here.
"""
