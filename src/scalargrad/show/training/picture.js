// Room, colours, markers and contours.

const LEAST_ROOM = { across: 240, down: 80 }; // in which every picture can still be laid out

const CLASS_COUNT = 10; // colours of classes, which begin again where there are more

// The colour of a class or output: classes that are not told by a sign have no colour of a sign.
const classColour = (c) => `class${(c % CLASS_COUNT) + (task.kind === "largest" ? 2 : 0)}`;

const COLOURS = ["paper", "constant", "value", "gradient"];
let palette = {};
const SHADES = 512; // between paper and a full colour
const shades = {}; // of each colour: so many mixtures with paper, as pixels
let divergingShades = new Uint32Array(); // from orange over paper to blue, and what stands for no number

// Read the colours as the theme has them now.
function readPalette() {
  const probe = $("palette");
  for (const name of [...COLOURS, ...[...Array(CLASS_COUNT).keys()].map(classColour)]) {
    probe.className = name;
    probe.style.color = `var(${COLOURS.includes(name) ? `--${name}` : "--own"})`;
    palette[name] = getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number);
  }
  for (const [name, colour] of Object.entries(palette)) {
    shades[name] = Uint32Array.from({ length: SHADES + 1 }, (_, i) => pixel(mixed(palette.paper, colour, i / SHADES)));
  }
  const most = Math.round(FULL * SHADES);
  divergingShades = Uint32Array.of(...shades.gradient.slice(1, most + 1).reverse(), ...shades.value.slice(0, most + 1), shades.constant[SHADES]);
}

const mixed = (from, to, share) => from.map((x, i) => x + (to[i] - x) * share);
const pixel = ([red, green, blue]) => new Uint32Array(new Uint8ClampedArray([red, green, blue, 255]).buffer)[0];

const FULL = 0.92; // how much of its colour the greatest number has

const pixelsFor = remembered((count) => new Uint32Array(count), 2); // of the picture that is drawn now

// The same as pixels, from the mixtures that are known: of each number divided by the one with full colour.
function divergingPixels(numbers, most) {
  const known = divergingShades;
  const middle = (known.length - 2) / 2;
  const pixels = pixelsFor(numbers.length);
  for (let i = 0; i < pixels.length; i += 1) {
    const t = numbers[i] / most;
    const shade = t >= 1 ? 2 * middle : t <= -1 ? 0 : (middle + middle * t + 0.5) | 0;
    pixels[i] = known[t === t ? shade : 2 * middle + 1];
  }
  return pixels;
}

const shadedPixel = (name, share) => shades[name][Math.round(SHADES * Math.min(share, 1))];

// Draw a picture of a grid, a pixel for each point, into a rectangle of a canvas: the outermost points
// lie on its edges, and what is beyond them is cut off.
function paint(context, pixels, left, top, across, down, grid = gridSize) {
  const scale = window.devicePixelRatio || 1;
  const place = [left, top, across, down].map((side) => Math.round(side * scale));
  const { each, image, own } = sheetOf(grid.across, grid.down);
  each.set(pixels);
  own.putImageData(image, 0, 0);
  const [beyond, high] = grid.down > 1 ? [0.5, grid.down - 1] : [0, 1];
  context.drawImage(own.canvas, 0.5, beyond, grid.across - 1, high, ...place);
}

// A small canvas, and its pixels to be written.
const sheetOf = remembered((across, down) => {
  const own = new OffscreenCanvas(across, down).getContext("2d", { willReadFrequently: true });
  const image = new ImageData(across, down);
  return { own, image, each: new Uint32Array(image.data.buffer) };
});

// Of commands to draw, a printer makes something else: it is given pixels.
function asPixels(context) {
  const { width, height } = context.canvas;
  context.putImageData(context.getImageData(0, 0, width, height), 0, 0);
}

// The size of a picture's place, in pixels of the page. A snapshot that is hidden, or not laid out yet,
// has none: it is drawn at the least size, and anew when it is shown.
function roomOf(picture) {
  const { clientWidth, clientHeight } = picture.parentElement;
  return { across: Math.max(clientWidth, LEAST_ROOM.across), down: Math.max(clientHeight, LEAST_ROOM.down) };
}

// Fit a canvas to its place, sharp on any screen, and empty it.
function fitted(canvas) {
  const { across, down } = roomOf(canvas);
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(across * scale);
  canvas.height = Math.round(down * scale);
  return { context: canvas.getContext("2d", { willReadFrequently: true }), across, down };
}

// The greatest magnitude among numbers, those aside that are none.
function greatest(numbers) {
  let most = 0;
  for (let i = 0; i < numbers.length; i += 1) {
    const size = Math.abs(numbers[i]);
    if (size > most && size < Infinity) most = size;
  }
  return most;
}

// The outline of a class's marker about (0, 0): six, so that thirty classes have a colour and a marker that
// no other has together.
const circle = (r) => `M${-r},0a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0z`;
const MARKERS = [
  (r) => `M0,${-1.2 * r}L${1.1 * r},${0.8 * r}L${-1.1 * r},${0.8 * r}z`,
  circle,
  (r) => `M${-r * 0.9},${-r * 0.9}h${1.8 * r}v${1.8 * r}h${-1.8 * r}z`,
  (r) => `M0,${-1.3 * r}L${1.1 * r},0L0,${1.3 * r}L${-1.1 * r},0z`,
  (r) => `M0,${1.2 * r}L${1.1 * r},${-0.8 * r}L${-1.1 * r},${-0.8 * r}z`,
  (r, a = 0.45 * r, b = 1.2 * r) => `M${-a},${-b}H${a}V${-a}H${b}V${a}H${a}V${b}H${-a}V${a}H${-b}V${-a}H${-a}z`,
];
const marker = (c, r) => MARKERS[c % MARKERS.length](r);

// Keys on one of several shapes: arrows move among them, Enter and Space act.
function onShapeKey(event, move, act) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (by) move(by);
  else if (event.key === "Enter" || event.key === " ") act();
  else return;
  event.preventDefault();
  event.stopPropagation();
}
