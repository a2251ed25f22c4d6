// What the page knows of the training, what follows from a snapshot, and what is shown.

const recorded = JSON.parse(document.getElementById("recorded").textContent);
const { cells, task, plane, unit } = recorded;
const { steps, rates } = recorded.snapshots;
const losses = recorded.snapshots.losses.map(float);
const snapshotCount = steps.length;
const examples = recorded.inputs;
const width = examples[0].length;
const model = new Program(recorded.model);
const lossPrograms = recorded.losses.map((program) => new Program(program));
const parameterCount = model.inputs - width;
const allParameters = new Float64Array(
  Uint8Array.from(atob(recorded.snapshots.parameters), (letter) => letter.charCodeAt(0)).buffer,
);

const state = {
  at: 0, // the snapshot
  example: null, // the one selected
  view: "weights", // what the lines show
  cell: 0, // the unit that Tab reaches
};

const parametersAt = (k) => allParameters.subarray(k * parameterCount, (k + 1) * parameterCount);
const valuesOf = (example) => run(examples[example]);

// The model's values for an input, with the parameters that were loaded last.
function run(input) {
  model.values.set(input);
  return model.run();
}

const load = (k) => model.values.set(parametersAt(k), width);

// Remember what a function found for the last few snapshots.
function remembered(compute, most = 3) {
  const known = new Map();
  return (k, ...rest) => {
    const key = [k, ...rest].join();
    if (!known.has(key)) {
      if (known.size >= most) known.delete(known.keys().next().value);
      known.set(key, compute(k, ...rest));
    }
    return known.get(key);
  };
}

// What the model answers to every example at a snapshot, the loss of each, and how many are right.
const answers = remembered((k) => {
  load(k);
  const outputs = examples.map((input) => {
    const values = run(input);
    return model.outputs.map((node) => values[node]);
  });
  const each = outputs.map((output, i) => lossOf(i, output).value);
  const right = task.classes.filter((wanted, i) => verdict(outputs[i]) === wanted).length;
  return { outputs, losses: each, right };
});

// The loss of an example, and how it depends on the model's outputs.
function lossOf(example, output) {
  const program = lossPrograms[recorded.lossOf[example]];
  program.values.set(output);
  const value = program.run()[program.outputs[0]];
  return { value, partials: () => program.gradient([1]).subarray(0, output.length) };
}

// The class that outputs stand for.
function verdict(output) {
  if (task.kind === "threshold") return Number(output[0] > task.threshold);
  return output.indexOf(Math.max(...output));
}

// The gradient of the mean loss, or of one example's, for every parameter at a snapshot.
const gradients = remembered((k, example) => {
  load(k);
  const chosen = example === null ? [...examples.keys()] : [example];
  const total = new Float64Array(parameterCount);
  for (const i of chosen) {
    const values = run(examples[i]);
    const seeds = lossOf(i, model.outputs.map((node) => values[node])).partials();
    const signals = model.gradient(seeds);
    for (let p = 0; p < parameterCount; p += 1) total[p] += signals[width + p];
  }
  return total.map((x) => x / chosen.length);
}, 4);

// By how much every parameter changed since the snapshot before.
const changes = remembered((k) => {
  const now = parametersAt(k);
  if (k === 0) return now.map(() => 0);
  const before = parametersAt(k - 1);
  return now.map((x, p) => x - before[p]);
});

// What the lines show: a number for each weight, which multiplies the output of a cell.
function lineNumbers(weights) {
  if (state.view === "products") {
    const [now, values] = [parametersAt(state.at), activations(state.at, state.example)];
    return weights.map(({ parameter, from }) => now[parameter] * values[from]);
  }
  const numbers = {
    weights: () => parametersAt(state.at),
    gradients: () => gradients(state.at, state.example),
    changes: () => changes(state.at),
  }[state.view]();
  return weights.map(({ parameter }) => numbers[parameter]);
}

// Every cell's output for the selected example at a snapshot.
const activations = remembered((k, example) => {
  load(k);
  const values = valuesOf(example);
  return cells.map((cell) => values[cell.node]);
});

// The plane: a grid of points over the examples and a little beyond; one row if there is one input.
const GRID = 48;
const extents = plane.map((axis) => {
  const along = examples.map((input) => input[axis]);
  const [low, high] = [Math.min(...along), Math.max(...along)];
  const margin = (high - low || 1) * 0.14;
  return [low - margin, high + margin];
});
const spans = extents.map(([low, high]) => high - low);
if (plane.length === 2 && Math.max(...spans) < 3 * Math.min(...spans)) {
  for (const [i, [low, high]] of extents.entries()) {
    const missing = (Math.max(...spans) - spans[i]) / 2;
    extents[i] = [low - missing, high + missing];
  }
}
const gridSize = plane.length === 2 ? { across: GRID, down: GRID } : { across: 4 * GRID, down: 1 };
const means = examples[0].map((_, i) => examples.reduce((sum, input) => sum + input[i], 0) / examples.length);

// The coordinates of a grid point, counted from the upper left.
function gridPoint(column, row) {
  const [[left, right], [low, high] = [0, 0]] = extents;
  const x = left + ((right - left) * column) / (gridSize.across - 1);
  return [x, gridSize.down === 1 ? 0 : high - ((high - low) * row) / (gridSize.down - 1)];
}

// Every cell's output, and the model's outputs, over the grid at a snapshot.
const overPlane = remembered((k) => {
  load(k);
  const { across, down } = gridSize;
  const fields = cells.map(() => new Float64Array(across * down));
  const outputs = model.outputs.map(() => new Float64Array(across * down));
  const input = [...means];
  for (let row = 0, p = 0; row < down; row += 1) {
    for (let column = 0; column < across; column += 1, p += 1) {
      const at = gridPoint(column, row);
      for (const [i, axis] of plane.entries()) input[axis] = at[i];
      const values = run(input);
      for (let c = 0; c < cells.length; c += 1) fields[c][p] = values[cells[c].node];
      for (let o = 0; o < outputs.length; o += 1) outputs[o][p] = values[model.outputs[o]];
    }
  }
  return { fields, outputs };
}, 2);
