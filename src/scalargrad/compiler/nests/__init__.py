"""Programs as nests of loops: equations on arrays, and the passes that compile them.

Read `equations` first; `builder` makes them from plain Python. Then, in the order in which they
run: `partition` cuts a traced program at its gradients, `finder` finds the loops of each part,
`lowering` writes them as equations, `derive` differentiates, `simplify` and `contract` shorten,
`schedule` orders the statements, `tiles` chooses which loops become lanes or are unrolled and
jammed, `plan` lays out memory, and `printer` emits LLVM IR, with the values in `registers`;
`c_printer` translates it to C. `verify` checks the equations after each pass, and `verify_layout`
the layout. `compile_nests` runs all of them, and `nested` has the result, in machine code:

    lambda xs: sum(x * x for x in xs)     for i in 100:
                                              add[] += p[i] · p[i]
                                          y[0] = add[]
"""
