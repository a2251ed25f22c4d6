// What a step says in words: a sentence, the gate's pattern, the running sum, a nudge. The
// rules are those of scalargrad.show.steps.wording; a test holds the two together.

const MOST_NAMES = 4;

function sentence(step, notation) {
  if (step.node === null) return `Start from ${inputsInWords()}.`;
  const node = nodes[step.node];
  if (step.phase === "forward") {
    return `The gate ${gateText(node)} computes ${node.name} from ${listed(operandsInWords(node))}.`;
  }
  if (step.phase === "seed") {
    return `The backward pass starts at the output: ${node.name} changes one for one with itself.`;
  }
  const parent = nodes[step.parent];
  const upstream = signal(step.node, TEXT, notation);
  const local = TEXT.partial(node.word, parent.word);
  return `From ${node.name} back to ${parent.name}: upstream ${upstream} times local ${local}.`;
}

const gateText = (node) => node.shown ?? gates[node.gate].symbol;

// The names of what a gate reads; a constant that stands in the gate is left out.
function operandsInWords(node) {
  const read = node.shown ? linked(node).map((link) => link.node) : node.parents;
  return read.map((x) => (typeof x === "object" ? number(float(x.constant)) : nodes[x].name));
}

function inputsInWords() {
  const groups = ["input", "parameter"].map((kind) => {
    const names = inputs.filter((i) => nodes[i].kind === kind).map((i) => nodes[i].name);
    return names.length ? `the ${kind}${names.length > 1 ? "s" : ""} ${listed(names)}` : "";
  });
  return groups.filter(Boolean).join(" and ");
}

// Join words as a sentence does; of many, name the first and count the rest.
function listed(words) {
  if (words.length > MOST_NAMES) {
    words = [...words.slice(0, MOST_NAMES - 1), `${words.length - MOST_NAMES + 1} more`];
  }
  const first = words.slice(0, -1).join(", ");
  return first ? `${first} and ${words.at(-1)}` : words.at(-1);
}

// The remarks on a step, in the order in which they are read; none of them is empty.
function notes(sweep, step, notation) {
  if (step.phase === "seed") return fanOutNotes(notation);
  const alarm = alarmNote(sweep, step);
  if (step.phase === "forward") return [heldNote(step), alarm].filter(Boolean);
  const found = [patternNote(sweep, step, notation), sumNote(sweep, step, notation), nudgeNote(sweep, step), alarm];
  return found.filter(Boolean);
}

// Of the maximum that softmax subtracts: why no gradient goes back to it.
function heldNote({ node }) {
  const held = node === null ? undefined : heldIn(node);
  return held ? `${largestOf(held)} is held constant: softmax is the same whatever is subtracted` : "";
}

// Where inf or nan comes from, at the step at which it appears first.
function alarmNote(sweep, step) {
  const { alarm } = sweep;
  return alarm && steps[alarm.at] === step ? alarmText(sweep) : "";
}

function alarmText(sweep) {
  const { node, at } = sweep.alarm;
  const step = steps[at];
  if (step.node === null) return `first value that is not finite: ${nodes[node].name} = ${number(sweep.data[node])}; give a finite number`;
  const kind = step.phase === "backward" ? "gradient" : "value";
  const written = formula(sweep, step, "whole", TEXT, "partial");
  const vertical = step.phase === "backward" && !Number.isFinite(sweep.locals[step.node][step.operand]);
  const remedy = vertical ? "shift" : "scale";
  return `first ${kind} that is not finite: ${written}; ${remedy} the operands of ${nodes[step.node].name}, or guard them with where`;
}

// Whether nothing goes on along a wire: its local derivative is 0. Where inf or nan is about, the 0
// may go on to become nan, 0·inf.
function isStopped(sweep, { node, operand }) {
  const local = sweep.locals[node][operand];
  return local === 0 && sweep.signals[node] * local === 0 && !sweep.alarm;
}

// Announce the gradients that will be sums: w feeds 2 gates; w̄ needs 2 terms.
function fanOutNotes(notation) {
  const sums = [...nodes.keys()].filter((i) => wires[i] > 1);
  const announced = sums.slice(0, MOST_NAMES).map(
    (i) => `${nodes[i].name} feeds ${counted(feeds[i], "gate")}; ${signal(i, TEXT, notation)} needs ${wires[i]} terms`,
  );
  const rest = sums.length - announced.length;
  return rest ? [...announced, `and ${rest} more that fan out`] : announced;
}

// What the gate does to the gradient on its way back along this wire.
function patternNote(sweep, step, notation) {
  const gate = gateAt(sweep, step.node);
  const local = sweep.locals[step.node][step.operand];
  const parent = nodes[step.parent].name;
  const upstream = signal(step.node, TEXT, notation);
  let { pattern } = gate.gate;
  if (pattern === "swap multiplier" && gate.isConstant(step.operand)) pattern = "distributor"; // a bias
  if (pattern === "swap multiplier") {
    const partial = gate.partial(step.operand);
    const stopped = isStopped(sweep, step) ? ", which is 0, so it stops here" : "";
    const factor = factorOf(TEXT, partial, gate.words(partial));
    const product = step.node === root ? TEXT.product("1", factor) : TEXT.product(factor, upstream);
    return `swap multiplier: ${parent} receives ${product}${stopped}`;
  }
  if (["distributor", "router", "sign flip"].includes(pattern)) {
    const title = pattern === "router" ? "gradient router" : pattern;
    const received = isStopped(sweep, step) ? "nothing, it stops here" : share(local, upstream);
    return `${title}: ${parent} receives ${received}`;
  }
  if (isStopped(sweep, step)) {
    const rounds = gate.relations(step.operand, local).includes("≈"); // to 0, as the slope of tanh at 400
    const place = rounds ? "saturated: its slope rounds to 0, and" : "flat here:";
    return `${gateText(nodes[step.node])} is ${place} the gradient stops here`;
  }
  return pattern;
}

// How much of a gradient a gate lets through.
function share(local, upstream) {
  if (local === 1 || local === -1) return local > 0 ? upstream : `−${upstream}`;
  return TEXT.product(factorIn(TEXT, local), upstream);
}

// The sum so far of a gradient that several wires contribute to.
function sumNote(sweep, step, notation) {
  if (step.expected < 2) return "";
  const end = step.arrived === step.expected ? "complete: adder at a fan-out" : `${step.arrived} of ${step.expected}`;
  const sign = sweep.exactness.terms(step.parent, step.arrived);
  const sum = runningSum(sweep.terms[step.parent], step.arrived, step.expected, sign);
  return `${signal(step.parent, TEXT, notation)} ${sum}, ${end}`;
}

// Why a gate is undefined at its operands, and what it needs.
function undefinedNote({ node, operands }) {
  const gate = gates[nodes[node].gate];
  const at = new GateAt({ data: [] }, node);
  const words = at.written(gate.terms[gate.written], (i) => nodes[i].word);
  const shown = nodes[node].parents.map((x, i) => (typeof x === "object" ? "" : `${nodes[x].word} ${equalTo(operands[i])}`));
  const needs = gate.needs || printText(gate.terms[gate.valid], words);
  const unique = [...new Set(shown.filter(Boolean))].join(", ");
  return `${printText(gate.terms[gate.written], words)} is undefined at ${unique}: it needs ${needs}.`;
}

const NUDGE = 0.01; // of 0, and of what is almost 0
const TRUE_SHARE = 0.1; // a change that is foretold with "about" is off by no more
const NOTHING = 0.02; // of the nudge: a change so small is about 0
const STRAIGHT = 1e-6; // of a change: so little is off where the function is a straight line, but for noise

// What a complete gradient of an input means: nudge x by +0.01: f changes by -0.04.
function nudgeNote(sweep, { parent: leaf, arrived, expected }) {
  if (nodes[leaf].gate || arrived < expected) return "";
  if (!canCompute) return recorded.nudges[leaf] ?? ""; // as Python found it
  const nudge = nudgeOf(sweep.data[leaf]);
  const foretold = nudge * sweep.total(leaf);
  const found = sweep.rootAt([[leaf, sweep.data[leaf] + nudge]]) - sweep.data[root];
  if (!Number.isFinite(foretold) || !Number.isFinite(found)) return "";
  const said = `nudge ${nodes[leaf].name} by ${signed(nudge)}: ${nodes[root].name} changes by `;
  const [most, off] = [Math.max(Math.abs(found), Math.abs(foretold)), Math.abs(found - foretold)];
  if (off > TRUE_SHARE * most && most > NOTHING * nudge) {
    return `${said}${isRounded(found) ? "about " : ""}${signed(found)}, not by ${signed(foretold)} as the gradient foretells: it is no straight line there`;
  }
  const isBent = off > STRAIGHT * Math.abs(foretold);
  return `${said}${isBent || sweep.exactness.gradient(leaf) === "≈" ? "about " : ""}${signed(foretold)}`;
}

// By how much to nudge x: a hundredth of the greatest power of ten that is in it.
const nudgeOf = (x) => Number(`1e${(x && Number.isFinite(x) ? x.toExponential().split("e")[1] : 0) - 2}`) || NUDGE;
