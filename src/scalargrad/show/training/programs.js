// The recorded programs, run again: values forward, gradients backward. What an operation does is
// printed from the table of operations into `functions`.

// A number as JSON has it, where inf and nan are words.
const float = (x) => (typeof x === "string" ? Number(x.replace("inf", "Infinity")) : x);

// What stops a gradient computes nothing, and so has no entry in the table.
const DETACH = { value: ([x]) => x, partials: () => [0] };

class Program {
  constructor({ inputs, nodes, outputs }) {
    this.inputs = inputs;
    this.outputs = outputs;
    this.constants = [];
    this.gates = [];
    for (const [offset, written] of nodes.entries()) {
      const node = inputs + offset;
      if (Array.isArray(written)) {
        const [key, ...operands] = written;
        this.gates.push({ node, operands, args: operands.map(() => 0), ...(key === "detach/1" ? DETACH : functions[key]) });
      } else this.constants.push([node, float(written)]);
    }
    this.values = new Float64Array(inputs + nodes.length);
    for (const [node, x] of this.constants) this.values[node] = x;
  }

  // Compute every node from the inputs that stand in `values`.
  run() {
    const { values } = this;
    for (const { node, operands, args, value } of this.gates) {
      for (let i = 0; i < args.length; i += 1) args[i] = values[operands[i]];
      values[node] = value(args);
    }
    return values;
  }

  // After a run: how outputs, weighted by seeds, depend on every node.
  gradient(seeds) {
    const { values, gates, outputs } = this;
    const signals = new Float64Array(values.length);
    for (const [i, node] of outputs.entries()) signals[node] += seeds[i];
    for (let g = gates.length - 1; g >= 0; g -= 1) {
      const { node, operands, args, partials } = gates[g];
      if (signals[node] === 0) continue;
      for (let i = 0; i < args.length; i += 1) args[i] = values[operands[i]];
      const locals = partials(values[node], args);
      for (let i = 0; i < args.length; i += 1) signals[operands[i]] += signals[node] * locals[i];
    }
    return signals;
  }
}
