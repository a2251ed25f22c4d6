// The recorded programs, evaluated for many examples at once: values forward, gradients backward. The
// operations are in `functions`, which is generated from their definitions.

// detach passes its operand on and no gradient back; it has no operation definition.
const DETACH = { forward: (y, [a]) => y.set(a), backward: () => {} };

class Program {
  // Each node has an array of numbers, one for each lane (example or point).
  constructor({ inputs, nodes, outputs }, lanes) {
    this.inputs = inputs;
    this.lanes = lanes;
    this.outputs = outputs;
    this.values = [...Array(inputs + nodes.length)].map(() => new Float64Array(lanes));
    this.adjoints = null; // created with the first gradient
    this.gates = [];
    for (const [offset, encoded] of nodes.entries()) {
      const node = inputs + offset;
      if (Array.isArray(encoded)) {
        const [key, ...operands] = encoded;
        const { forward, backward } = key === "detach/1" ? DETACH : functions[key];
        this.gates.push({ node, operands, args: operands.map((i) => this.values[i]), forward, backward });
      } else this.values[node].fill(float(encoded));
    }
  }

  // Compute every node from the inputs in `values`.
  run() {
    for (const { node, args, forward } of this.gates) forward(this.values[node], args);
    return this.values;
  }

  // After a run: the adjoints of all nodes, for the seeds of the outputs (an array for each).
  gradient(seeds) {
    const { values } = this;
    this.adjoints ??= values.map(() => new Float64Array(this.lanes));
    const { adjoints } = this;
    for (const adjoint of adjoints) adjoint.fill(0);
    for (const [i, node] of this.outputs.entries()) {
      for (let lane = 0; lane < this.lanes; lane += 1) adjoints[node][lane] += seeds[i][lane];
    }
    for (let g = this.gates.length - 1; g >= 0; g -= 1) {
      const { node, operands, args, backward } = this.gates[g];
      backward(adjoints[node], values[node], args, operands.map((i) => adjoints[i]));
    }
    return adjoints;
  }
}

// The recorded data, and the state of the page.

const recorded = JSON.parse(document.getElementById("recorded").textContent);
const { task, plane } = recorded;
const examples = recorded.inputs;
const width = examples[0].length;

const state = {
  at: 0, // the snapshot
  isMoving: false, // whether snapshots follow one another
  example: null, // the selected example
  focusedUnit: 0, // the unit that Tab reaches
  selectedUnit: null, // the unit whose lines are emphasized
  view: "weights", // the numbers that lines show
};

// The plane: a grid of points over the examples with a margin; one row if there is only one input.
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

// A finer grid, for decision boundaries while nothing moves: thin regions contain few points of the coarse
// grid, and would look like beads.
const FINER = 4;
const FINE_WORK = 5e7; // maximum number of products for the finer grid
const fineGrid = { across: FINER * (GRID - 1) + 1, down: FINER * (GRID - 1) + 1 };
const means = examples[0].map((_, i) => examples.reduce((sum, input) => sum + input[i], 0) / examples.length);

// With more inputs than axes, the plane is a slice through the selected example, or through the means.
const others = [...means.keys()].filter((axis) => !plane.includes(axis));
const sliceThrough = () => (others.length ? state.example : null);
const pointOfSlice = (example) => (example === null ? means : examples[example]);

// The coordinates of a grid point; columns and rows count from the upper left.
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

// The loss of every example. Programs that differ only in numbers, such as targets, are evaluated as one, with
// a lane for each example.

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
      for (const [offset, encoded] of recorded.losses[recorded.lossOf[example]].nodes.entries()) {
        if (!Array.isArray(encoded)) program.values[program.inputs + offset][lane] = float(encoded);
      }
    }
    lossGroups.push({ members, program });
  }
}

// The loss of every example, from the model's outputs (an array for each).
function lossesOf(outputs) {
  const losses = new Float64Array(examples.length);
  for (const { members, program } of lossGroups) {
    for (const [o, output] of outputs.entries()) {
      for (const [lane, example] of members.entries()) program.values[o][lane] = output[example];
    }
    const each = program.run()[program.outputs[0]];
    for (const [lane, example] of members.entries()) losses[example] = each[lane];
  }
  return losses;
}

// The gradients of the losses just computed with respect to the outputs (an array for each).
function lossGradients(outputs) {
  const slopes = outputs.map(() => new Float64Array(examples.length));
  for (const { members, program } of lossGroups) {
    const adjoints = program.gradient([new Float64Array(members.length).fill(1)]);
    for (const [o, slope] of slopes.entries()) {
      for (const [lane, example] of members.entries()) slope[example] = adjoints[o][lane];
    }
  }
  return slopes;
}
