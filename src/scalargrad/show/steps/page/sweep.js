// The graph at the current inputs: values forward, gradients backward, as in Python. The operations
// are in `functions`, which is generated from their definitions.

// All numbers that depend on the inputs. `data` has the numbers of the inputs, and receives the others.
class Sweep {
  constructor(data, locals = null) {
    this.data = data;
    this.gates = []; // gates at these numbers, by node
    this.invalid = null;
    this.locals = locals ?? this.forward();
    this.flips = [];
    if (this.invalid) return;
    this.backward();
    this.alarm = this.firstAlarm();
    this.flips = recorded.comparisons.filter((found) => evaluateComparison(found, data) !== Number(found.outcome)); // with a different outcome
  }

  // Compute every gate and its local derivatives; stop at the first undefined one.
  forward() {
    const locals = nodes.map(() => []);
    for (const [i, node] of nodes.entries()) {
      if (!node.gate) continue;
      const operands = operandData(node, this.data);
      const gate = functions[node.gate];
      if (!gate.valid(operands)) {
        this.invalid = { node: i, operands };
        return locals;
      }
      this.data[i] = gate.value(operands);
      locals[i] = gate.partials(this.data[i], operands);
    }
    return locals;
  }

  // Compute the gradients: the gates in reverse order, the operands last to first.
  backward() {
    this.adjoints = nodes.map(() => 0);
    this.adjoints[root] = 1;
    this.terms = nodes.map((_, i) => (i === root ? [1] : []));
    this.contributions = [];
    for (const [index, step] of steps.entries()) {
      if (step.phase !== "backward") continue;
      const { contribution } = this.factors(step);
      this.contributions[index] = contribution;
      this.terms[step.parent].push(contribution);
      if (step.arrived === step.expected) this.adjoints[step.parent] = this.total(step.parent);
    }
  }

  // The factors and the product of a backward step.
  factors({ node, operand }) {
    const [upstream, local] = [this.adjoints[node], this.locals[node][operand]];
    return { upstream, local, contribution: upstream * local };
  }

  // The first value or else gradient that is inf or nan, as {node, at} with its step.
  firstAlarm() {
    const node = this.data.findIndex((x) => !Number.isFinite(x));
    if (node >= 0) return { node, at: knownAt[node] };
    const at = steps.findIndex((step) => step.phase === "backward" && !Number.isFinite(this.total(step.parent, step.arrived)));
    return at < 0 ? null : { node: steps[at].parent, at };
  }

  // For each node that a gate at a kink or jump depends on, that gate.
  get kinks() {
    if (this._kinks) return this._kinks;
    this._kinks = [];
    for (let i = root; i >= 0; i -= 1) {
      const gate = nodes[i].gate && gateAt(this, i).isAtKink ? i : this._kinks[i];
      if (gate !== undefined) for (const link of linked(nodes[i])) this._kinks[link.node] = gate;
    }
    return this._kinks;
  }

  // The sum of the first terms of a node's gradient, in order.
  total(node, arrived = Infinity) {
    let sum = 0;
    for (const term of this.terms[node].slice(0, arrived)) sum += term;
    return sum;
  }

  // The same graph at other inputs, a list of [node, number].
  with(changes) {
    const data = [...this.data];
    for (const [node, value] of changes) data[node] = value;
    return new Sweep(data);
  }
}

const operandData = (node, data) => node.parents.map((parent) => numberOf(parent, data));

// The number of an operand: a node, a constant, or the constant maximum in softmax.
function numberOf(operand, data) {
  if (typeof operand !== "object") return data[operand];
  if (!operand.largest) return float(operand.constant);
  const scores = operand.largest.map((score) => numberOf(score, data));
  return scores.reduce((largest, x) => (x > largest ? x : largest)); // nan where Python's max gives nan
}

// Create the steps of the whole walk: the inputs, every gate, the seed, every wire backward.
function makeSteps() {
  const steps = [{ phase: "forward", node: null }];
  for (const [i, node] of nodes.entries()) {
    if (node.gate) steps.push({ phase: "forward", node: i });
  }
  steps.push({ phase: "seed", node: root });
  const arrived = nodes.map(() => 0);
  for (let i = root; i >= 0; i -= 1) {
    for (const { node: parent, operand } of linked(nodes[i]).reverse()) {
      arrived[parent] += 1;
      steps.push({ phase: "backward", node: i, operand, parent, arrived: arrived[parent], expected: wires[parent] });
    }
  }
  return steps;
}

// The operands of a gate that are nodes, in order, as {node, operand}.
function linked(node) {
  return node.parents
    .map((parent, operand) => ({ node: parent, operand }))
    .filter((link) => typeof link.node === "number");
}

// Comparisons that the program made, as in `if x > 0`. At inputs where one has a different outcome the
// program would build another graph, which this page does not have.

// The outcome of a comparison at the numbers of nodes: 1, 0 or undefined.
const evaluateComparison = ({ terms }, data) => evaluate(terms, (i) => data[i], same, numberResult).at(-1);

// The advice how to get the graph of the other branch; in the playground the frame has a name.
const AGAIN = window.name === "playground" ? "Change the number in the program and press Run" : "Run walk again";

// A note that another branch would or might be taken at the current inputs; else "".
function branchNote({ data, flips: [first, ...others] }) {
  if (!first) {
    if (!recorded.unknown || !areMoved()) return "";
    return `The program might take another branch here: it made ${pluralize(recorded.unknown, "comparison")} that this page cannot repeat. ${AGAIN} to be sure.`;
  }
  const { written, outcome } = first;
  const at = (numbers) => TEXT.fill([written], (i) => number(numbers[i]));
  const now = evaluateComparison(first, data) === undefined ? "undefined" : String(!outcome);
  const changed = `${TEXT.fill([written], (i) => nodes[i].word)} was ${outcome} and is now ${now} (${at(recordedSweep.data)}, now ${at(data)})`;
  const more = others.length ? `; ${pluralize(others.length, "other comparison")} changed too` : "";
  return `The program would take the other branch here: ${changed}${more}. ${AGAIN}.`;
}

const DISABLED_CONTROLS = ["export", "print-steps", "worksheet", "moodle"];

function drawBranch() {
  const isOther = state.sweep.flips.length > 0;
  document.body.classList.toggle("flipped", isOther);
  for (const id of DISABLED_CONTROLS) $(id).disabled = isOther;
  const note = branchNote(state.sweep);
  if (note === $("branch").dataset.note) return;
  $("branch").dataset.note = note;
  $("branch").textContent = note;
  typeset($("branch"));
}

// The values of a list of terms. A term is a number, a {name} that `read` evaluates, or the key of an
// operation with the indices of earlier terms, its operands.
function evaluate(terms, read, constant, apply) {
  const values = [];
  for (const term of terms) {
    if (Array.isArray(term)) values.push(apply(term[0], term.slice(1).map((i) => values[i])));
    else values.push(term.name === undefined ? constant(float(term)) : read(term.name));
  }
  return values;
}

// The result of an operation; undefined outside of its domain.
function numberResult(key, operands) {
  return !operands.includes(undefined) && functions[key]?.valid(operands) ? functions[key].value(operands) : undefined;
}

// Operations whose result is 0 only if an operand is 0; otherwise it has underflowed.
const WITHOUT_ZERO = ["mul/2", "div/2", "pow/2", "square/1"];

// The result of an operation at displayed numbers; NaN if it is not exactly known. The rules are those of
// scalargrad.show.number_format; a test compares both.
function resultAsShown(key, operands) {
  const read = key.startsWith("where/") ? operands.slice(0, 1) : operands;
  if (!functions[key] || read.some((x) => Number.isNaN(Number(x)))) return NaN;
  const value = functions[key].value(operands);
  if (value === 0 && WITHOUT_ZERO.includes(key) && !operands.includes(0)) return NaN;
  const isListed = operands.every((x) => [-1, 0, 1].includes(x)) && Number.isInteger(value);
  return isListed || recorded.exact.includes(key) ? value : NaN;
}
