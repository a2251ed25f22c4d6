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

// What the page knows of the task, the training as it was recorded, and what is shown.

const recorded = JSON.parse(document.getElementById("recorded").textContent);
const { task, plane } = recorded;
const examples = recorded.inputs;
const width = examples[0].length;

const state = {
  at: 0, // the snapshot
  isMoving: false, // from snapshot to snapshot
  example: null, // the one selected
  cell: 0, // the unit that Tab reaches
  unit: null, // the one selected, whose lines stand out
  view: "weights", // what the lines show
};

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

// The same plane in more points, for decisions at rest: a region thinner than the grid has but some of
// its points, and would be drawn as beads.
const FINER = 4;
const FINE_WORK = 5e7; // products for the finer grid: with a larger model, it is not computed
const fineGrid = { across: FINER * (GRID - 1) + 1, down: FINER * (GRID - 1) + 1 };
const means = examples[0].map((_, i) => examples.reduce((sum, input) => sum + input[i], 0) / examples.length);

// With more inputs than axes, the plane is a slice: it passes through the example that is selected, or
// through the means of all.
const others = [...means.keys()].filter((axis) => !plane.includes(axis));
const sliceThrough = () => (others.length ? state.example : null);
const pointOfSlice = (example) => (example === null ? means : examples[example]);

// The coordinates of a grid point, counted from the upper left.
function gridPoint(column, row, { across, down } = gridSize) {
  const [[left, right], [low, high] = [0, 0]] = extents;
  const x = left + ((right - left) * column) / (across - 1);
  return [x, down === 1 ? 0 : high - ((high - low) * row) / (down - 1)];
}

// All points of a grid, row by row.
function pointsOf(grid) {
  const { across, down } = grid;
  return [...Array(across * down).keys()].map((p) => gridPoint(p % across, Math.floor(p / across), grid));
}

const gridPoints = pointsOf(gridSize);

// The loss of every example. Programs that differ in their numbers only, such as targets, are run
// as one, with a lane for each example.

const lossGroups = [];
{
  const shapes = new Map();
  for (const [example, which] of recorded.lossOf.entries()) {
    const { inputs, nodes, outputs } = recorded.losses[which];
    const shape = JSON.stringify([inputs, nodes.map((node) => Array.isArray(node) && node), outputs]);
    if (!shapes.has(shape)) shapes.set(shape, []);
    shapes.get(shape).push(example);
  }
  for (const members of shapes.values()) {
    const program = new Program(recorded.losses[recorded.lossOf[members[0]]], members.length);
    for (const [lane, example] of members.entries()) {
      for (const [offset, written] of recorded.losses[recorded.lossOf[example]].nodes.entries()) {
        if (!Array.isArray(written)) program.values[program.inputs + offset][lane] = float(written);
      }
    }
    lossGroups.push({ members, program });
  }
}

// What the model's outputs, an array for each, cost every example.
function lossesOf(outputs) {
  const found = new Float64Array(examples.length);
  for (const { members, program } of lossGroups) {
    for (const [o, output] of outputs.entries()) {
      for (const [lane, example] of members.entries()) program.values[o][lane] = output[example];
    }
    const each = program.run()[program.outputs[0]];
    for (const [lane, example] of members.entries()) found[example] = each[lane];
  }
  return found;
}

// How the losses just computed depend on the outputs, an array for each.
function lossSlopes(outputs) {
  const slopes = outputs.map(() => new Float64Array(examples.length));
  for (const { members, program } of lossGroups) {
    const signals = program.gradient([new Float64Array(members.length).fill(1)]);
    for (const [o, slope] of slopes.entries()) {
      for (const [lane, example] of members.entries()) slope[example] = signals[o][lane];
    }
  }
  return slopes;
}
