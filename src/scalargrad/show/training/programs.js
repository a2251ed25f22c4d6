// The recorded programs, run again for many examples side by side: values forward, gradients
// backward. What an operation does is printed from the table of operations into `functions`.

// What stops a gradient computes nothing, and so has no entry in the table.
const DETACH = { forward: (y, [a]) => y.set(a), backward: () => {} };

class Program {
  // Each node has an array of numbers, one for each lane.
  constructor({ inputs, nodes, outputs }, lanes) {
    this.inputs = inputs;
    this.lanes = lanes;
    this.outputs = outputs;
    this.values = [...Array(inputs + nodes.length)].map(() => new Float64Array(lanes));
    this.signals = null; // made when a gradient is asked for
    this.gates = [];
    for (const [offset, written] of nodes.entries()) {
      const node = inputs + offset;
      if (Array.isArray(written)) {
        const [key, ...operands] = written;
        const { forward, backward } = key === "detach/1" ? DETACH : functions[key];
        this.gates.push({ node, operands, args: operands.map((i) => this.values[i]), forward, backward });
      } else this.values[node].fill(float(written));
    }
  }

  // Compute every node from the inputs that stand in `values`.
  run() {
    for (const { node, args, forward } of this.gates) forward(this.values[node], args);
    return this.values;
  }

  // After a run: how outputs, weighted by seeds (an array for each), depend on every node.
  gradient(seeds) {
    const { values } = this;
    this.signals ??= values.map(() => new Float64Array(this.lanes));
    const { signals } = this;
    for (const signal of signals) signal.fill(0);
    for (const [i, node] of this.outputs.entries()) {
      for (let lane = 0; lane < this.lanes; lane += 1) signals[node][lane] += seeds[i][lane];
    }
    for (let g = this.gates.length - 1; g >= 0; g -= 1) {
      const { node, operands, args, backward } = this.gates[g];
      backward(signals[node], values[node], args, operands.map((i) => signals[i]));
    }
    return signals;
  }
}
