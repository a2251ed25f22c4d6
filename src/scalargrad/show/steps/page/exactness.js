// Which numbers of a sweep are just what is shown: not tanh(40), which is not 1, nor what follows. The
// rules are those of scalargrad.show.steps.exactness; a test holds the two together.

// The signs between the names of values and gradients, and their numbers.
class Exactness {
  constructor(sweep) {
    this.sweep = sweep;
    this.values = []; // a sign for each node
    for (const [i, node] of nodes.entries()) this.values.push(this.makeValue(i, node));
  }

  makeValue(i, { gate, parents }) {
    const x = this.sweep.data[i];
    if (isRounded(x)) return "≈";
    const operands = this.operands(i);
    if (!gate || !functions[gate] || operands === "≈") return operands; // an input, or a user's own
    return resultRelation(decimalResult(gate, parents.map((parent) => decimal(numberOf(parent, this.sweep.data)))), x);
  }

  // The sign between an operand's name and its number.
  sign(operand) {
    if (typeof operand !== "object") return this.values[operand];
    if (operand.largest) return loosest(...operand.largest.map((score) => this.sign(score)));
    return relation(float(operand.constant));
  }

  operands(node) {
    return loosest(...nodes[node].parents.map((parent) => this.sign(parent)));
  }

  // The signs before a local derivative in numbers, and before what they give.
  local({ node, operand }) {
    const gate = gateAt(this.sweep, node);
    const [filledIn, result] = gate.relations(operand, this.sweep.locals[node][operand]);
    const named = namesIn(gate.derivative(operand)).map(({ name }) => gate.standIns.get(name));
    return [loosest(filledIn, ...named.filter((x) => typeof x === "number").map((x) => this.sign(x))), result];
  }

  gradient(node) {
    return this.backward.gradients[node];
  }

  // The sign between the first terms of a gradient and their numbers.
  terms(node, arrived) {
    return loosest(...this.backward.signs[node].slice(0, arrived));
  }

  get backward() {
    this.made ??= this.makeBackward();
    return this.made;
  }

  makeBackward() {
    const { locals, terms, signals } = this.sweep;
    const signs = nodes.map(() => []);
    const gradients = nodes.map(() => "=");
    for (const step of steps) {
      if (step.phase !== "backward") continue;
      const { node, operand, parent } = step;
      const term = terms[parent][step.arrived - 1];
      const product = productRelation(signals[node], locals[node][operand], term);
      signs[parent].push(loosest(gradients[node], ...this.local(step), product));
      if (step.arrived === step.expected) gradients[parent] = loosest(...signs[parent], sumRelation(terms[parent], this.sweep.total(parent)));
    }
    return { gradients, signs };
  }
}

const loosest = (...signs) => (signs.includes("≈") ? "≈" : "=");
