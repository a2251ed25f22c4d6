// What a step says in words: a sentence, the gate's pattern, the running sum, a nudge. Which text
// holds is found as in scalargrad.show.steps.step, and the texts are those of Python, which formulas have too.

const MOST_NAMES = 4;

// A text of Python's, with what fills its places.
const say = (text, filled = {}) => recorded.texts[text].replace(/\{(\w+)\}/g, (_, name) => filled[name]);

function sentence(step, notation) {
  if (step.node === null) return recorded.start;
  const { name, form } = nodes[step.node];
  if (step.phase === "forward") return gates[form].sentence.replace(SLOT, (_, slot) => nameOf(gateAt(state.sweep, step.node).standIn(slot)));
  if (step.phase === "seed") return say("seed", { name });
  const local = TEXT.partial(nodes[step.node].word, nodes[step.parent].word);
  return say("backward", { name, parent: nodes[step.parent].name, upstream: signal(step.node, TEXT, notation), local });
}

const nameOf = (x) => (typeof x === "object" ? number(float(x.constant)) : nodes[x].name);

// Join words as a sentence does; of many, name the first and count the rest.
function listed(words) {
  if (words.length > MOST_NAMES) {
    words = [...words.slice(0, MOST_NAMES - 1), say("rest", { count: words.length - MOST_NAMES + 1 })];
  }
  const first = words.slice(0, -1).join(", ");
  return first ? `${first} and ${words.at(-1)}` : words.at(-1);
}

// The remarks on a step, in the order in which they are read, each with its kind; none of them is empty.
function remarks(sweep, step, notation) {
  const alarm = ["alarm", sweep.alarm && steps[sweep.alarm.at] === step && alarmText(sweep)];
  const found = {
    seed: () => (state.view === "layer" ? fanOutsOfLayers(notation) : recorded.announced[notation]).map((text) => ["fan-out", text]),
    forward: () => [["held", heldNote(step)], alarm],
    backward: () => [["pattern", patternNote(sweep, step, notation)], ["kink", kinkNote(sweep, step)], ["sum", sumNote(sweep, step, notation)], ["nudge", nudgeNote(sweep, step)], alarm],
  }[step.phase]();
  return found.filter(([, text]) => text);
}

// Announce the gradients that will be sums of what several layers and gates pass on; what units of one
// layer do is one product of matrices.
function fanOutsOfLayers(notation) {
  const isLayer = stopsOf.layer.map((stop) => Boolean(layerOf(stop)));
  const terms = nodes.map(() => new Map()); // by stop, how many
  for (const [k, { phase, parent }] of steps.entries()) {
    const at = ranks.layer[k];
    if (phase === "backward") terms[parent].set(at, isLayer[at] ? 1 : (terms[parent].get(at) ?? 0) + 1);
  }
  const found = nodes.flatMap(({ name }, i) => {
    const count = [...terms[i].values()].reduce((sum, x) => sum + x, 0);
    const layersRead = [...terms[i].keys()].filter((at) => isLayer[at]).length;
    const readers = [[layersRead, "layer"], [terms[i].size - layersRead, "gate"]].filter(([n]) => n).map((words) => counted(...words));
    return count < 2 ? [] : [`${name} feeds ${readers.join(" and ")}; ${signal(i, TEXT, notation)} needs ${count} terms`];
  });
  const rest = found.length - MOST_NAMES;
  return rest > 0 ? [...found.slice(0, MOST_NAMES), `and ${rest} more that fan out`] : found;
}

const notes = (...at) => remarks(...at).map(([, text]) => text);

// Of the maximum that softmax subtracts: why no gradient goes back to it.
function heldNote({ node }) {
  const held = node === null ? undefined : heldIn(node);
  return held ? say("held", { largest: held.word }) : "";
}

// Where inf or nan comes from: said at the step at which it appears first.
function alarmText(sweep) {
  const { node, at } = sweep.alarm;
  const step = steps[at];
  if (step.node === null) return say("not finite", { name: nodes[node].name, value: number(sweep.data[node]) });
  const kind = step.phase === "backward" ? "gradient" : "value";
  const written = formula(sweep, step, "whole", TEXT, "partial");
  const isVertical = step.phase === "backward" && !Number.isFinite(sweep.factors(step).local);
  return say("overflow", { kind, formula: written, change: isVertical ? "shift" : "scale", name: nodes[step.node].name });
}

// Whether nothing goes on along a wire: its local derivative is 0. Where inf or nan is about, the 0
// may go on to become nan, 0·inf.
function isStopped(sweep, step) {
  const { local, contribution } = sweep.factors(step);
  return local === 0 && contribution === 0 && !sweep.alarm;
}

// What the gate does to the gradient on its way back along this wire.
function patternNote(sweep, step, notation) {
  const gate = gateAt(sweep, step.node);
  const { pattern } = gate.gate.wires[step.operand];
  const parent = nodes[step.parent].name;
  const upstream = signal(step.node, TEXT, notation);
  if (isStopped(sweep, step)) return say("nothing", { pattern: pattern || gate.gate.shown, parent });
  if (pattern === "swap multiplier") {
    const factor = gate.factor(step.operand, TEXT);
    const product = step.node === root ? TEXT.product("1", factor) : TEXT.product(factor, upstream);
    return say("received", { pattern, parent, received: product });
  }
  if (["distributor", "gradient router", "sign flip"].includes(pattern)) {
    return say("received", { pattern, parent, received: share(sweep.factors(step).local, upstream) });
  }
  return pattern;
}

// How much of a gradient a gate lets through.
function share(local, upstream) {
  if (local === 1 || local === -1) return local > 0 ? upstream : `−${upstream}`;
  return TEXT.product(TEXT.factor(local), upstream);
}

// Why a local derivative is a convention: its gate is at a kink or jump.
function kinkNote(sweep, step) {
  if (step.phase !== "backward") return "";
  const gate = gateAt(sweep, step.node);
  const { local } = sweep.factors(step);
  if (!Number.isFinite(local) || !gate.isAtKink) return "";
  const read = [...new Set(linked(nodes[step.node]).map((link) => link.node))];
  const place = read.map((i) => `${nodes[i].name} ${equalTo(sweep.data[i])}`).join(", ");
  return say("kink", { gate: gate.gate.shown, place, local: number(local) });
}

// The different remarks on kinks at a stop of many steps.
const kinkNotes = (stop) => [...new Set(stop.map((k) => kinkNote(state.sweep, steps[k])).filter(Boolean))].slice(0, MOST_NAMES);

// The sum so far of a gradient that several wires contribute to.
function sumNote(sweep, { parent, arrived, expected }, notation) {
  if (expected < 2) return "";
  const sum = runningSum(sweep.terms[parent], arrived, expected);
  return say(arrived === expected ? "sum" : "part", { signal: signal(parent, TEXT, notation), sum, arrived, expected });
}

// Why a gate is undefined at its operands, and what it needs.
function undefinedNote({ node, operands }) {
  const gate = new GateAt({ data: [] }, node);
  const shown = nodes[node].parents.map((x, i) => (typeof x === "object" ? "" : `${nodes[x].word} ${equalTo(operands[i])}`));
  const at = [...new Set(shown.filter(Boolean))].join(", ");
  return TEXT.fill([gate.gate.undefined.replace("{}", () => at)], gate.word);
}


// What a complete gradient of an input means: nudge x by +0.01: the gradient foretells that f changes by -0.04.
function nudgeNote(sweep, { parent: leaf, arrived, expected }) {
  if (nodes[leaf].gate || arrived < expected) return "";
  const kink = sweep.kinks[leaf];
  if (kink !== undefined) return say("no nudge", { leaf: nodes[leaf].name, gate: gateAt(sweep, kink).gate.shown });
  const nudge = nudgeOf(sweep.data[leaf]);
  const change = nudge * sweep.total(leaf);
  if (!Number.isFinite(change) || !Number.isFinite(sweep.data[root])) return "";
  return say("nudge", { leaf: nodes[leaf].name, nudge: signed(nudge), root: nodes[root].name, change: signed(change) });
}

// By how much to nudge x: a hundredth of the greatest power of ten that is in it.
const nudgeOf = (x) => Number(`1e${(x && Number.isFinite(x) ? x.toExponential().split("e")[1] : 0) - 2}`) || 0.01;
