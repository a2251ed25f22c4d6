// The graph at the inputs as they are: values forward, gradients backward, as Python computes
// them. What an operation does is printed from the table of operations into `functions`.

// Everything that depends on the inputs. `data` may be changed where a node is an input.
class Sweep {
  constructor(data, locals = null) {
    this.data = data;
    this.gates = []; // by node, at these numbers
    this.invalid = null;
    this.locals = locals ?? this.forward();
    this.flips = [];
    if (this.invalid) return;
    this.backward();
    this.alarm = this.firstAlarm();
    this.flips = recorded.comparisons.filter((found) => comparedAt(found, data) !== Number(found.outcome)); // that come out otherwise
  }

  // Compute every gate and its local derivatives; stop at the first that is undefined.
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

  // Send the gradient back: the gates in reverse order, the operands last to first.
  backward() {
    this.signals = nodes.map(() => 0);
    this.signals[root] = 1;
    this.terms = nodes.map((_, i) => (i === root ? [1] : []));
    this.contributions = [];
    for (const [index, step] of steps.entries()) {
      if (step.phase !== "backward") continue;
      const { contribution } = this.factors(step);
      this.contributions[index] = contribution;
      this.terms[step.parent].push(contribution);
      if (step.arrived === step.expected) this.signals[step.parent] = this.total(step.parent);
    }
  }

  // What a step back multiplies, and the product.
  factors({ node, operand }) {
    const [upstream, local] = [this.signals[node], this.locals[node][operand]];
    return { upstream, local, contribution: upstream * local };
  }

  // The first number that is inf or nan, {node, at} with its step: a value or else a gradient.
  firstAlarm() {
    const node = this.data.findIndex((x) => !Number.isFinite(x));
    if (node >= 0) return { node, at: knownAt[node] };
    const at = steps.findIndex((step) => step.phase === "backward" && !Number.isFinite(this.total(step.parent, step.arrived)));
    return at < 0 ? null : { node: steps[at].parent, at };
  }

  // For each node that a gate at a kink or jump is computed from, that gate.
  get kinks() {
    if (this.beyond) return this.beyond;
    this.beyond = [];
    for (let i = root; i >= 0; i -= 1) {
      const beyond = nodes[i].gate && gateAt(this, i).isAtKink ? i : this.beyond[i];
      if (beyond !== undefined) for (const link of linked(nodes[i])) this.beyond[link.node] = beyond;
    }
    return this.beyond;
  }

  // The sum of the first terms of a node's gradient, in the order in which they arrive.
  total(node, arrived = Infinity) {
    let sum = 0;
    for (const term of this.terms[node].slice(0, arrived)) sum += term;
    return sum;
  }

  // The same graph at other inputs, given as [node, number].
  with(changes) {
    const data = [...this.data];
    for (const [node, value] of changes) data[node] = value;
    return new Sweep(data);
  }
}

const operandData = (node, data) => node.parents.map((parent) => numberOf(parent, data));

// The number of an operand: a node's, a constant, or the maximum that softmax holds constant.
function numberOf(operand, data) {
  if (typeof operand !== "object") return data[operand];
  if (!operand.largest) return float(operand.constant);
  const scores = operand.largest.map((score) => numberOf(score, data));
  return scores.reduce((largest, x) => (x > largest ? x : largest)); // nan where Python's max is
}

// The steps of the whole walk: the inputs, every gate, the seed, every wire backward.
function makeSteps() {
  const made = [{ phase: "forward", node: null }];
  for (const [i, node] of nodes.entries()) {
    if (node.gate) made.push({ phase: "forward", node: i });
  }
  made.push({ phase: "seed", node: root });
  const arrived = nodes.map(() => 0);
  for (let i = root; i >= 0; i -= 1) {
    for (const { node: parent, operand } of linked(nodes[i]).reverse()) {
      arrived[parent] += 1;
      made.push({ phase: "backward", node: i, operand, parent, arrived: arrived[parent], expected: wires[parent] });
    }
  }
  return made;
}

// The operands of a gate that are nodes, in order.
function linked(node) {
  return node.parents
    .map((parent, operand) => ({ node: parent, operand }))
    .filter((link) => typeof link.node === "number");
}

// What the program decided by comparing numbers, as `if x > 0` does. At inputs where it would decide
// otherwise it would build another graph, of which this page knows nothing.

// What a comparison gives at the numbers of nodes: 1, 0 or undefined.
const comparedAt = ({ terms }, data) => evaluate(terms, (i) => data[i], same, numberResult).at(-1);

// How to get the graph of the other branch; the playground gives its frame a name.
const AGAIN = window.name === "playground" ? "Change the number in the program and press Run" : "Run walk again";

// Say that another branch would be taken at the inputs as they are, or might be; "" where it would not.
function branchNote({ data, flips: [first, ...others] }) {
  if (!first) {
    if (!recorded.unknown || !areMoved()) return "";
    return `The program might take another branch here: it made ${counted(recorded.unknown, "comparison")} that this page cannot repeat. ${AGAIN} to be sure.`;
  }
  const { written, outcome } = first;
  const at = (numbers) => TEXT.fill([written], (i) => number(numbers[i]));
  const now = comparedAt(first, data) === undefined ? "undefined" : String(!outcome);
  const changed = `${TEXT.fill([written], (i) => nodes[i].word)} was ${outcome} and is now ${now} (${at(recordedSweep.data)}, now ${at(data)})`;
  const more = others.length ? `; ${counted(others.length, "other comparison")} changed too` : "";
  return `The program would take the other branch here: ${changed}${more}. ${AGAIN}.`;
}

const TAKEN_AWAY = ["export", "print-steps", "worksheet", "moodle"];

function drawBranch() {
  const isOther = state.sweep.flips.length > 0;
  document.body.classList.toggle("flipped", isOther);
  for (const id of TAKEN_AWAY) $(id).disabled = isOther;
  const note = branchNote(state.sweep);
  if (note === $("branch").dataset.note) return;
  $("branch").dataset.note = note;
  $("branch").textContent = note;
  typeset($("branch"));
}

// What each of a list of terms comes to: a number, {name}, which `read` knows, or an operation, by its
// key, and the indices of the terms before it to which it is applied.
function evaluate(terms, read, constant, apply) {
  const found = [];
  for (const term of terms) {
    if (Array.isArray(term)) found.push(apply(term[0], term.slice(1).map((i) => found[i])));
    else found.push(term.name === undefined ? constant(float(term)) : read(term.name));
  }
  return found;
}

// What an operation gives of numbers; undefined outside of its domain.
function numberResult(key, operands) {
  return !operands.includes(undefined) && functions[key]?.valid(operands) ? functions[key].value(operands) : undefined;
}

// What is 0 only of 0; else a float could not hold it.
const WITHOUT_ZERO = ["mul/2", "div/2", "pow/2", "square/1"];

// What an operation gives of numbers as they are shown; NaN where that is not known to be just what can
// be shown. The rules are those of scalargrad.show.number_format; a test holds the two together.
function shownResult(key, operands) {
  const read = key.startsWith("where/") ? operands.slice(0, 1) : operands;
  if (!functions[key] || read.some((x) => Number.isNaN(Number(x)))) return NaN;
  const value = functions[key].value(operands);
  if (value === 0 && WITHOUT_ZERO.includes(key) && !operands.includes(0)) return NaN;
  const isListed = operands.every((x) => [-1, 0, 1].includes(x)) && Number.isInteger(value);
  return isListed || recorded.exact.includes(key) ? value : NaN;
}
