// The lines on which a field over the plane, such as output minus threshold, crosses 0.

const HALVINGS = 4; // of an edge on which a field crosses 0: what is drawn is off by a 32nd of it at most

// The edges of the grid at whose ends a field has different signs, each [column, row] twice.
function crossedEdges(field, { across, down }) {
  const isAbove = (column, row) => field[row * across + column] > 0;
  const crossed = [];
  for (let row = 0; row < down; row += 1) {
    for (let column = 0; column < across; column += 1) {
      const here = isAbove(column, row);
      if (column + 1 < across && isAbove(column + 1, row) !== here) crossed.push([[column, row], [column + 1, row]]);
      if (row + 1 < down && isAbove(column, row + 1) !== here) crossed.push([[column, row], [column, row + 1]]);
    }
  }
  return crossed;
}

// Where on each edge the field crosses 0, by halving. A straight line between its ends would not do: next to
// units that give exactly 0, or saturated ones, it leads from one point of the grid to the next, in stairs.
function crossings(field, grid, edges, isAboveAt) {
  const bounds = edges.map(() => [0, 1]);
  const starts = edges.map(([[column, row]]) => field[row * grid.across + column] > 0);
  for (let i = 0; i < HALVINGS; i += 1) {
    const middles = bounds.map(([low, high]) => (low + high) / 2);
    const isAbove = isAboveAt(edges.map((edge, e) => between(edge, middles[e])));
    for (const [e, bound] of bounds.entries()) bound[isAbove[e] === starts[e] ? 0 : 1] = middles[e];
  }
  return bounds.map(([low, high], e) => between(edges[e], (low + high) / 2));
}

const between = ([from, to], share) => from.map((x, axis) => x + (to[axis] - x) * share);

// Where a field crosses 0, as lines between edges of the grid, in shares of its width and height;
// `isAboveAt` says of places between the grid's points whether it is above 0 there.
function contour(field, grid, isAboveAt) {
  const { across, down } = grid;
  const edges = crossedEdges(field, grid);
  const found = new Map(crossings(field, grid, edges, isAboveAt).map((place, e) => [edges[e].flat().join(), place]));
  const pieces = [];
  for (const corner of new Set(edges.flatMap((edge) => cellsBeside(edge, grid)))) {
    const [column, row] = [corner % across, Math.floor(corner / across)];
    const places = sidesOf(column, row).map((side) => found.get(side)).filter(Boolean);
    for (let i = 0; i + 1 < places.length; i += 2) {
      pieces.push([places[i], places[i + 1]].map(([x, y]) => [x / (across - 1), y / (down - 1)]));
    }
  }
  return pieces;
}

// The squares of the grid on both sides of an edge, by the number of their upper left corner.
function cellsBeside([[column, row], [, end]], { across, down }) {
  const isUpright = end !== row;
  const other = isUpright ? [column - 1, row] : [column, row - 1];
  return [[column, row], other].filter(([x, y]) => x >= 0 && y >= 0 && x + 1 < across && y + 1 < down).map(([x, y]) => y * across + x);
}

// The four edges around a square, one after another.
const sidesOf = (x, y) => [[x, y, x + 1, y], [x + 1, y, x + 1, y + 1], [x, y + 1, x + 1, y + 1], [x, y, x, y + 1]].map(String);
