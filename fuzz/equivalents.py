"""Mutants that no test can kill, because they compute the same, each with its reason."""

#: By file, line before and line after.
EQUIVALENT: dict[tuple[str, str, str], str] = {
    (
        "optim/torch_state.py",
        'if "momentum_buffer" in optimizer.state_names[:1]:  # SGD\'s counts no steps',
        'if "momentum_buffer" in optimizer.state_names[: 2]:  # SGD\'s counts no steps',
    ): "SGD has one name; RMSprop's third is momentum_buffer, and no other optimiser has it",
    (
        "optim/from_torch.py",
        "named = dict(zip(names, start, strict=True))",
        "named = dict(zip(names, start, strict=False))",
    ): "an optimiser's names and first state have one length",
    (
        "losses/metrics.py",
        "yield (t > 0.0) != (scores[0] > limit)",
        "yield (t > 0.0) != (scores[ -1] > limit)",
    ): "there is one score",
    (
        "ops/selection.py",
        "(-3.0, 3.0),",
        "(-3.0, 2.0),",
    ): "an interval from which tests draw their operands",
    (
        "ops/selection.py",
        "(-2.0, -0.5),",
        "(-2.0, - -0.5),",
    ): "an interval from which tests draw their operands",
    (
        "optim/lr_scheduler/decay.py",
        "if (epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # up again from the trough itself",
        "if (epoch - 1 + self.T_max) % (2 * self.T_max) == 0:  # up again from the trough itself",
    ): "both sides differ by 2 T_max, and so not in what is left over",
    (
        "autodiff.py",
        'deque(map(setattr, nodes, repeat("_grad"), grads), maxlen=0)',
        'deque(map(setattr, nodes, repeat("_grad"), grads), maxlen= 1)',
    ): "the deque is there to be run through, not to keep anything",
    (
        "compiler/trace/alike_nodes.py",
        "signs = by_sign & np.isfinite(numbers) & (numbers != 0.0)",
        "signs = by_sign & np.isfinite(numbers) & (numbers != 1.0)",
    ): "0 is answered for as positive numbers are, but in x / 0, which raises when it is recorded",
    (
        "ops/special.py",
        "x, z = where(tiny, a, 1.0), where(tiny, b, 1.0)",
        "x, z = where(tiny, a, 1.0), where(tiny, b, 0.0)",
    ): "a number for the formula that is not chosen: any will do with which nothing is infinite",
    (
        "ops/special.py",
        "(0.2, 6.0),",
        "(0.2, 5.0),",
    ): "an interval from which tests draw their operands",
    (
        "tree.py",
        "return np.stack(children).reshape(shape + children[0].shape)",
        "return np.stack(children).reshape(shape + children[ -1].shape)",
    ): "arrays that can be stacked have one shape",
    (
        "nn/rows.py",
        'return isinstance(first, list | tuple | Mapping) or getattr(first, "ndim", 0) > 0',
        'return isinstance(first, list | tuple | Mapping) or getattr(first, "ndim", -1) > 0',
    ): "neither is more than 0",
    (
        "compiler/passes/splitter.py",
        "self.columns.update((x, Column(out, 1)) for x, out in zip(kept, places, strict=True))",
        "self.columns.update((x, Column(out, 1)) for x, out in zip(kept, places, strict=False))",
    ): "each node that is kept has a place",
    (
        "compiler/packing/strides.py",
        "strides = blocks[:, 1:, 0] - blocks[:, :-1, 0]",
        "strides = blocks[:, 1:, -1] - blocks[:, :-1, 0]",
    ): "only rows with equal steps count, and of these the last column is as far from the first",
    (
        "compiler/packing/groups.py",
        "depth = 1 + max([groups[x].depth for x in shape[1:]], default=0)  # type: ignore[index]",
        "depth = 1 + max([groups[x].depth for x in shape[1:]], default= 1)  # type: ignore[index]",
    ): "what has no operands may be placed at any time before its users",
    (
        "ops/special.py",
        "for k in range(2, int(_LARGE) - 1):",
        "for k in range(2, int(_LARGE) + 1):",
    ): "a number under 10 less 9 or 10 is less than 1, and so counts as the factor 1",
}
