// What the page knows of the walk, and the state it is in.

const recorded = JSON.parse(document.getElementById("walk").textContent);
const { nodes, gates, notations } = recorded;
for (const gate of Object.values(gates)) gate.terms = readTerms(gate.terms);

const root = nodes.length - 1;
const inputs = [...nodes.keys()].filter((i) => !nodes[i].gate);
const affine = new Set(recorded.affine);
const feeds = countFeeds();
const wires = nodes.map(() => 0);
for (const node of nodes) for (const link of linked(node)) wires[link.node] += 1;
const steps = makeSteps();
const seedAt = steps.findIndex((step) => step.phase === "seed");
const knownAt = nodes.map((node, i) => (node.gate ? steps.findIndex((step) => step.node === i) : 0));

// An operation of the user's own is a Python function, which a page cannot call.
const canCompute = nodes.every((node) => !node.gate || functions[node.gate]);

const recordedSweep = new Sweep(
  nodes.map((node) => float(node.data)),
  nodes.map((node) => (node.locals ?? []).map(float)),
);

// The stops of a view: lists of steps that are shown together.
const stopsOf = { wire: recorded.positions.map((index) => [index]), gate: byGate(recorded.positions) };

function byGate(positions) {
  const stops = [];
  for (const index of positions) {
    const before = stops.at(-1)?.at(-1);
    const step = steps[index];
    const together = before !== undefined && step.phase === "backward" && steps[before].phase === "backward";
    if (together && steps[before].node === step.node) stops.at(-1).push(index);
    else stops.push([index]);
  }
  return stops;
}

const state = {
  sweep: recordedSweep,
  view: "wire",
  notation: "partial",
  at: 0, // the stop of the view that is shown
  predicting: false,
  question: null, // what is asked in Predict mode, and what was answered
  undefined: "",
};

const stops = () => stopsOf[state.view];
const shownSteps = () => stops()[state.at];
const reached = () => Math.max(...shownSteps());

// An element that holds one formula of MathML, written with every name escaped.
function mathElement(name, mathml, attributes = {}) {
  const made = element(name, attributes);
  made.innerHTML = mathml;
  return made;
}
