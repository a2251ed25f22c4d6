// A step in words: a sentence, and remarks on its pattern, running sum and nudge. The conditions are those
// of scalargrad.show.steps.step, and the templates are recorded from there.

const MAX_NAMES = 4;

// The text with a key, with its placeholders replaced by values.
const fillText = (key, values = {}) => recorded.texts[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);

function sentence(step, notation) {
  if (step.node === null) return recorded.start;
  const { name, form } = nodes[step.node];
  if (step.phase === "forward") return gates[form].sentence.replace(SLOT, (_, slot) => nameOf(gateAt(state.sweep, step.node).operandOf(slot)));
  if (step.phase === "seed") return fillText("seed", { name });
  const local = TEXT.partial(nodes[step.node].word, nodes[step.parent].word);
  return fillText("backward", { name, parent: nodes[step.parent].name, upstream: gradientSymbol(step.node, TEXT, notation), local });
}

const nameOf = (x) => (typeof x === "object" ? number(float(x.constant)) : nodes[x].name);

// Join words with commas and "and"; after the first few, the rest are counted.
function joinNames(words) {
  if (words.length > MAX_NAMES) {
    words = [...words.slice(0, MAX_NAMES - 1), fillText("rest", { count: words.length - MAX_NAMES + 1 })];
  }
  const first = words.slice(0, -1).join(", ");
  return first ? `${first} and ${words.at(-1)}` : words.at(-1);
}

// The remarks on a step in reading order, each with its kind; empty ones are left out.
function remarks(sweep, step, notation) {
  const alarm = ["alarm", sweep.alarm && steps[sweep.alarm.at] === step && alarmText(sweep)];
  const found = {
    seed: () => (state.view === "layer" ? fanOutsOfLayers(notation) : recorded.announced[notation]).map((text) => ["fan-out", text]),
    forward: () => [["held", heldNote(step)], alarm],
    backward: () => [["pattern", patternNote(sweep, step, notation)], ["kink", kinkNote(sweep, step)], ["sum", sumNote(sweep, step, notation)], ["nudge", nudgeNote(sweep, step)], alarm],
  }[step.phase]();
  return found.filter(([, text]) => text);
}

// The gradients that will be sums over several layers and gates. The units of one layer count once, since
// their contributions are one product of matrices.
function fanOutsOfLayers(notation) {
  const isLayer = stopsOf.layer.map((stop) => Boolean(layerOf(stop)));
  const terms = nodes.map(() => new Map()); // number of terms by stop
  for (const [k, { phase, parent }] of steps.entries()) {
    const at = ranks.layer[k];
    if (phase === "backward") terms[parent].set(at, isLayer[at] ? 1 : (terms[parent].get(at) ?? 0) + 1);
  }
  const found = nodes.flatMap(({ name }, i) => {
    const count = [...terms[i].values()].reduce((sum, x) => sum + x, 0);
    const layersRead = [...terms[i].keys()].filter((at) => isLayer[at]).length;
    const readers = [[layersRead, "layer"], [terms[i].size - layersRead, "gate"]].filter(([n]) => n).map((words) => pluralize(...words));
    return count < 2 ? [] : [`${name} feeds ${readers.join(" and ")}; ${gradientSymbol(i, TEXT, notation)} needs ${count} terms`];
  });
  const rest = found.length - MAX_NAMES;
  return rest > 0 ? [...found.slice(0, MAX_NAMES), `and ${rest} more that fan out`] : found;
}

const notes = (...at) => remarks(...at).map(([, text]) => text);

// A remark on why the maximum that softmax subtracts has no gradient.
function heldNote({ node }) {
  const held = node === null ? undefined : heldMaximum(node);
  return held ? fillText("held", { largest: held.word }) : "";
}

// The origin of the first inf or nan, and a remedy.
function alarmText(sweep) {
  const { node, at } = sweep.alarm;
  const step = steps[at];
  if (step.node === null) return fillText("not finite", { name: nodes[node].name, value: number(sweep.data[node]) });
  const kind = step.phase === "backward" ? "gradient" : "value";
  const origin = formula(sweep, step, "whole", TEXT, "partial");
  const isVertical = step.phase === "backward" && !Number.isFinite(sweep.factors(step).local);
  return fillText("overflow", { kind, formula: origin, change: isVertical ? "shift" : "scale", name: nodes[step.node].name });
}

// Whether the gradient stops at a wire, because its local derivative is 0. If a number is inf or nan, the 0
// may still become nan, as 0·inf.
function isStopped(sweep, step) {
  const { local, contribution } = sweep.factors(step);
  return local === 0 && contribution === 0 && !sweep.alarm;
}

// A remark on the effect of the gate on the gradient along this wire.
function patternNote(sweep, step, notation) {
  const gate = gateAt(sweep, step.node);
  const { pattern } = gate.gate.wires[step.operand];
  const parent = nodes[step.parent].name;
  const upstream = gradientSymbol(step.node, TEXT, notation);
  if (isStopped(sweep, step)) return fillText("nothing", { pattern: pattern || gate.gate.shown, parent });
  if (pattern === "swap multiplier") {
    const factor = gate.factor(step.operand, TEXT);
    const product = step.node === root ? TEXT.product("1", factor) : TEXT.product(factor, upstream);
    return fillText("received", { pattern, parent, received: product });
  }
  if (["distributor", "gradient router", "sign flip"].includes(pattern)) {
    return fillText("received", { pattern, parent, received: share(sweep.factors(step).local, upstream) });
  }
  return pattern;
}

// The part of a gradient that a gate passes to an operand.
function share(local, upstream) {
  if (local === 1 || local === -1) return local > 0 ? upstream : `−${upstream}`;
  return TEXT.product(TEXT.factor(local), upstream);
}

// A remark that the local derivative at a kink or jump is a convention.
function kinkNote(sweep, step) {
  if (step.phase !== "backward") return "";
  const gate = gateAt(sweep, step.node);
  const { local } = sweep.factors(step);
  if (!Number.isFinite(local) || !gate.isAtKink) return "";
  const operands = [...new Set(linked(nodes[step.node]).map((link) => link.node))];
  const place = operands.map((i) => `${nodes[i].name} ${equalTo(sweep.data[i])}`).join(", ");
  return fillText("kink", { gate: gate.gate.shown, place, local: number(local) });
}

// The distinct remarks on kinks at a stop of several steps.
const kinkNotes = (stop) => [...new Set(stop.map((k) => kinkNote(state.sweep, steps[k])).filter(Boolean))].slice(0, MAX_NAMES);

// The running sum of a gradient with contributions from several wires.
function sumNote(sweep, { parent, arrived, expected }, notation) {
  if (expected < 2) return "";
  const sum = runningSum(sweep.terms[parent], arrived, expected);
  return fillText(arrived === expected ? "sum" : "part", { gradient: gradientSymbol(parent, TEXT, notation), sum, arrived, expected });
}

// The reason why a gate is undefined at its operands, and its requirement.
function undefinedNote({ node, operands }) {
  const gate = new GateAt({ data: [] }, node);
  const shown = nodes[node].parents.map((x, i) => (typeof x === "object" ? "" : `${nodes[x].word} ${equalTo(operands[i])}`));
  const at = [...new Set(shown.filter(Boolean))].join(", ");
  return TEXT.fill([gate.gate.undefined.replace("{}", () => at)], gate.word);
}


// The prediction from a complete gradient of an input: nudge x by +0.01: the gradient predicts that f changes by -0.04.
function nudgeNote(sweep, { parent: leaf, arrived, expected }) {
  if (nodes[leaf].gate || arrived < expected) return "";
  const kink = sweep.kinks[leaf];
  if (kink !== undefined) return fillText("no nudge", { leaf: nodes[leaf].name, gate: gateAt(sweep, kink).gate.shown });
  const nudge = nudgeOf(sweep.data[leaf]);
  const change = nudge * sweep.total(leaf);
  if (!Number.isFinite(change) || !Number.isFinite(sweep.data[root])) return "";
  return fillText("nudge", { leaf: nodes[leaf].name, nudge: signed(nudge), root: nodes[root].name, change: signed(change) });
}

// The size of a nudge: a hundredth of the largest power of ten in x.
const nudgeOf = (x) => Number(`1e${(x && Number.isFinite(x) ? x.toExponential().split("e")[1] : 0) - 2}`) || 0.01;
