// The recorded walk, and the state of the page.

const { nodes, inputs, gates, layers } = recorded;
for (const node of nodes) {
  node.word ??= node.name;
  node.kind ??= "gate";
  node.gate = gates[node.form]?.key;
}
for (const i of recorded.sums) nodes[i].preActivation = true;

const wordsKnown = new Set(nodes.flatMap(({ name, word }) => [name, word]));
const root = nodes.length - 1;
const wires = nodes.map(() => 0);
for (const node of nodes) for (const link of linked(node)) wires[link.node] += 1;
const steps = makeSteps();
const seedAt = steps.findIndex((step) => step.phase === "seed");
const knownAt = nodes.map(() => 0);
for (const [k, step] of steps.entries()) if (step.phase === "forward" && step.node !== null) knownAt[step.node] = k;

// A custom operation is a Python function, which a page cannot call.
const canCompute = nodes.every((node) => !node.gate || functions[node.gate]);

const recordedSweep = new Sweep(
  nodes.map((node) => float(node.data)),
  nodes.map((node) => (node.locals ?? []).map(float)),
);

// The stops of each view: lists of steps that are shown together.
const stopsOf = { wire: steps.map((_, index) => [index]), gate: byGate() };
if (recorded.stages) stopsOf.layer = byLayer(recorded.stages);
const ranks = Object.fromEntries(Object.entries(stopsOf).map(([view, stops]) => [view, rankSteps(stops)]));

function byGate() {
  const stops = [];
  for (const [index, step] of steps.entries()) {
    const previous = steps[index - 1];
    const isSameGate = step.phase === "backward" && previous?.phase === "backward" && previous.node === step.node;
    if (isSameGate) stops.at(-1).push(index);
    else stops.push([index]);
  }
  return stops;
}

// One stop for each layer and each gate outside the layers, forward and backward.
function byLayer(stages) {
  const gates = stages.map((stage) => (typeof stage === "number" ? [stage] : layers[stage.layer].gates));
  const back = nodes.map(() => []);
  for (const [k, step] of steps.entries()) if (step.phase === "backward") back[step.node].push(k);
  const forward = gates.map((stage) => stage.map((i) => knownAt[i]));
  const backward = gates.map((stage) => stage.flatMap((i) => back[i]).sort((a, b) => a - b)).reverse();
  return [[0], ...forward, [seedAt], ...backward.filter((stop) => stop.length)];
}

// The stop of each step of the walk.
function rankSteps(stops) {
  const rank = [];
  for (const [at, stop] of stops.entries()) for (const k of stop) rank[k] = at;
  return rank;
}

const state = {
  sweep: recordedSweep,
  view: "wire",
  notation: "partial",
  at: 0, // the current stop of the view
  copies: false, // whether fan-out is drawn as copy gates
  predicting: false,
  question: null, // the question of Predict mode, with its answers
  undefined: "",
  looked: null, // the node that has the focus or was last pointed at
  wholeMatrices: false,
};

const stops = () => stopsOf[state.view];
const currentSteps = () => stops()[state.at];
const isDone = (k) => ranks[state.view][k] <= state.at;

// Create an element with one MathML formula, in which names are already escaped.
function mathElement(name, mathml, attributes = {}) {
  const holder = element(name, attributes);
  holder.innerHTML = mathml;
  return holder;
}
