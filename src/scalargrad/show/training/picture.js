// Sizes, colours, pixels and markers of the pictures.

const MIN_ROOM = { across: 240, down: 80 }; // minimum size of a picture, in pixels

const CLASS_COUNT = 10; // number of colours of classes, which repeat if there are more

// The colour of a class or output; the colours of the signs are for classes decided by a sign only.
const classColour = (c) => `class${(c % CLASS_COUNT) + (task.kind === "largest" ? 2 : 0)}`;

const COLOURS = ["paper", "constant", "value", "gradient"];
let palette = {};
const SHADES = 512; // number of shades between the background and a full colour
const shades = {}; // for each colour, its mixtures with the background, as pixels
let divergingShades = new Uint32Array(); // from orange over the background to blue, and the pixel for NaN

// Read the colours of the current theme.
function readPalette() {
  const probe = $("palette");
  for (const name of [...COLOURS, ...[...Array(CLASS_COUNT).keys()].map(classColour)]) {
    probe.className = name;
    probe.style.color = `var(${COLOURS.includes(name) ? `--${name}` : "--own"})`;
    palette[name] = getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number);
  }
  for (const [name, colour] of Object.entries(palette)) {
    shades[name] = Uint32Array.from({ length: SHADES + 1 }, (_, i) => pixel(mix(palette.paper, colour, i / SHADES)));
  }
  const most = Math.round(FULL * SHADES);
  divergingShades = Uint32Array.of(...shades.gradient.slice(1, most + 1).reverse(), ...shades.value.slice(0, most + 1), shades.constant[SHADES]);
}

const mix = (from, to, share) => from.map((x, i) => x + (to[i] - x) * share);
const pixel = ([red, green, blue]) => new Uint32Array(new Uint8ClampedArray([red, green, blue, 255]).buffer)[0];

const FULL = 0.92; // share of the full colour for the largest number

const pixelsFor = memoize((count) => new Uint32Array(count), 2); // reused for every picture of this size

// The pixels of numbers on the diverging scale; `most` is the number with the full colour.
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

// Draw a grid, one pixel for each point, into a rectangle of a canvas. The outermost points are on its edges.
function paint(context, pixels, left, top, across, down, grid = gridSize) {
  const scale = window.devicePixelRatio || 1;
  const place = [left, top, across, down].map((side) => Math.round(side * scale));
  const { each, image, own } = gridCanvas(grid.across, grid.down);
  each.set(pixels);
  own.putImageData(image, 0, 0);
  const [beyond, high] = grid.down > 1 ? [0.5, grid.down - 1] : [0, 1];
  context.drawImage(own.canvas, 0.5, beyond, grid.across - 1, high, ...place);
}

// A small canvas for a grid, and its pixels.
const gridCanvas = memoize((across, down) => {
  const own = new OffscreenCanvas(across, down).getContext("2d", { willReadFrequently: true });
  const image = new ImageData(across, down);
  return { own, image, each: new Uint32Array(image.data.buffer) };
});

// Replace the drawing commands of a canvas by its pixels, because printers render commands differently.
function asPixels(context) {
  const { width, height } = context.canvas;
  context.putImageData(context.getImageData(0, 0, width, height), 0, 0);
}

// The size of a picture, in pixels of the page. A hidden page has none: it is drawn at the minimum size, and
// again when it becomes visible.
function roomOf(picture) {
  const { clientWidth, clientHeight } = picture.parentElement;
  return { across: Math.max(clientWidth, MIN_ROOM.across), down: Math.max(clientHeight, MIN_ROOM.down) };
}

// Fit a canvas to its container at the resolution of the screen, and clear it.
function fitCanvas(canvas) {
  const { across, down } = roomOf(canvas);
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(across * scale);
  canvas.height = Math.round(down * scale);
  return { context: canvas.getContext("2d", { willReadFrequently: true }), across, down };
}

// The largest magnitude of finite numbers.
function maxMagnitude(numbers) {
  let most = 0;
  for (let i = 0; i < numbers.length; i += 1) {
    const size = Math.abs(numbers[i]);
    if (size > most && size < Infinity) most = size;
  }
  return most;
}

// The outlines of markers around (0, 0). There are six, so that thirty classes have distinct pairs of colour
// and marker.
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

// Handle a key on one of several shapes: arrows move between them, Enter and Space act.
function onShapeKey(event, move, act) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (by) move(by);
  else if (event.key === "Enter" || event.key === " ") act();
  else return;
  event.preventDefault();
  event.stopPropagation();
}
