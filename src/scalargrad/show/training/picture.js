// Room, colours, markers and contours.

const LEAST_ROOM = { across: 240, down: 80 }; // in which every picture can still be laid out

const CLASS_COUNT = 6; // colours and markers of classes, which begin again where there are more

const probes = {};
for (const name of ["paper", "ink", "muted", "constant", "value", "gradient", ...[...Array(CLASS_COUNT).keys()].map((c) => `class${c}`)]) {
  probes[name] = element("i", { class: `probe ${name}` });
  $("palette").append(probes[name]);
}

let palette = {};

// Read the colours as the theme has them now.
function readPalette() {
  for (const [name, probe] of Object.entries(probes)) {
    palette[name] = getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number);
  }
}

const mixed = (from, to, share) => from.map((x, i) => x + (to[i] - x) * share);

// A number from -1 to 1 as a colour: orange, paper, blue.
function diverging(t) {
  if (!(Math.abs(t) >= 0)) return palette.constant;
  return mixed(palette.paper, t < 0 ? palette.gradient : palette.value, 0.92 * Math.min(Math.abs(t), 1));
}

const [coarse, smooth] = [document.createElement("canvas"), document.createElement("canvas")];

// Draw a picture of the grid's size, a colour for each point, into a rectangle of a canvas.
function paint(context, colourOf, left, top, across, down) {
  const { across: columns, down: rows } = gridSize;
  const scale = window.devicePixelRatio || 1;
  [smooth.width, smooth.height] = [Math.ceil(across * scale), Math.ceil(down * scale)];
  paintCoarse(colourOf, columns, rows);
  // Enlarged here and copied as pixels: of commands to draw, a printer makes something else. The
  // outermost points of the grid lie on the rectangle's edges; the rim beyond them hangs over.
  const enlarged = smooth.getContext("2d", { willReadFrequently: true });
  enlarged.imageSmoothingQuality = "high";
  const [wide, high] = [smooth.width / (columns - 1), smooth.height / Math.max(1, rows - 1)];
  enlarged.drawImage(coarse, -1.5 * wide, -1.5 * high, wide * (columns + 2), high * (rows + 2));
  const picture = enlarged.getImageData(0, 0, smooth.width, smooth.height);
  context.putImageData(picture, Math.round(left * scale), Math.round(top * scale));
}

// One pixel for each point of the grid, and a rim that repeats the outermost.
function paintCoarse(colourOf, columns, rows) {
  const image = new ImageData(columns + 2, rows + 2);
  for (let y = 0, i = 0; y < rows + 2; y += 1) {
    const row = Math.min(Math.max(y - 1, 0), rows - 1);
    for (let x = 0; x < columns + 2; x += 1, i += 4) {
      const [red, green, blue] = colourOf(row * columns + Math.min(Math.max(x - 1, 0), columns - 1));
      image.data[i] = red;
      image.data[i + 1] = green;
      image.data[i + 2] = blue;
      image.data[i + 3] = 255;
    }
  }
  [coarse.width, coarse.height] = [columns + 2, rows + 2];
  coarse.getContext("2d").putImageData(image, 0, 0);
}

// The size of a picture's place, in pixels of the page. A snapshot that is hidden, or not laid out yet,
// has none: it is drawn at the least size, and anew when it is shown.
function roomOf(picture) {
  const { clientWidth, clientHeight } = picture.parentElement;
  return { across: Math.max(clientWidth, LEAST_ROOM.across), down: Math.max(clientHeight, LEAST_ROOM.down) };
}

// Fit a canvas to its place, sharp on any screen.
function fitted(canvas) {
  const { across, down } = roomOf(canvas);
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(across * scale);
  canvas.height = Math.round(down * scale);
  return { context: canvas.getContext("2d", { willReadFrequently: true }), across, down };
}

const greatest = (field) => field.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 0);

// The outline of a class's marker about (0, 0).
function marker(c, r) {
  switch (c % CLASS_COUNT) {
    case 0: return `M0,${-1.2 * r}L${1.1 * r},${0.8 * r}L${-1.1 * r},${0.8 * r}z`;
    case 1: return circle(r);
    case 2: return `M${-r * 0.9},${-r * 0.9}h${1.8 * r}v${1.8 * r}h${-1.8 * r}z`;
    case 3: return `M0,${-1.3 * r}L${1.1 * r},0L0,${1.3 * r}L${-1.1 * r},0z`;
    case 4: return `M0,${1.2 * r}L${1.1 * r},${-0.8 * r}L${-1.1 * r},${-0.8 * r}z`;
    default: {
      const a = 0.45 * r;
      const b = 1.2 * r;
      return `M${-a},${-b}H${a}V${-a}H${b}V${a}H${a}V${b}H${-a}V${a}H${-b}V${-a}H${-a}z`;
    }
  }
}

const circle = (r) => `M${-r},0a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0z`;

// Where a field crosses 0, as lines between points of the grid, in shares of its width and height.
function contour(field) {
  const { across, down } = gridSize;
  const pieces = [];
  const at = (column, row) => field[row * across + column];
  for (let row = 0; row + 1 < down; row += 1) {
    for (let column = 0; column + 1 < across; column += 1) {
      const corners = [[column, row], [column + 1, row], [column + 1, row + 1], [column, row + 1]];
      const found = [];
      for (const [i, from] of corners.entries()) {
        const to = corners[(i + 1) % 4];
        const [a, b] = [at(...from), at(...to)];
        if (a > 0 === b > 0) continue;
        const share = a / (a - b);
        const point = from.map((x, axis) => x + (to[axis] - x) * share);
        found.push([point[0] / (across - 1), point[1] / (down - 1)]);
      }
      for (let i = 0; i + 1 < found.length; i += 2) pieces.push([found[i], found[i + 1]]);
    }
  }
  return pieces;
}
