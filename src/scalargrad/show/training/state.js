// What the page knows of the task, the training as it was recorded, and what is shown.

const recorded = JSON.parse(document.getElementById("recorded").textContent);
const { task, plane } = recorded;
const examples = recorded.inputs;
const width = examples[0].length;

const state = {
  at: 0, // the snapshot
  isMoving: false, // from snapshot to snapshot: the lines are painted, not elements
  example: null, // the one selected
  cell: 0, // the unit that Tab reaches
  unit: null, // the one selected, whose lines stand out
  view: "weights", // what the lines show
  scale: null, // of losses: "linear" or "log"; null leaves it to them
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
const means = examples[0].map((_, i) => examples.reduce((sum, input) => sum + input[i], 0) / examples.length);

// With more inputs than axes, the plane is a slice: it passes through the example that is selected, or
// through the means of all.
const others = [...means.keys()].filter((axis) => !plane.includes(axis));
const sliceThrough = () => (others.length ? state.example : null);
const pointOfSlice = (example) => (example === null ? means : examples[example]);

// The coordinates of a grid point, counted from the upper left.
function gridPoint(column, row) {
  const [[left, right], [low, high] = [0, 0]] = extents;
  const x = left + ((right - left) * column) / (gridSize.across - 1);
  return [x, gridSize.down === 1 ? 0 : high - ((high - low) * row) / (gridSize.down - 1)];
}

// All points of the grid, row by row.
const gridPoints = [...Array(gridSize.across * gridSize.down).keys()].map((p) => gridPoint(p % gridSize.across, Math.floor(p / gridSize.across)));
