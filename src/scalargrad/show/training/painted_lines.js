// Lines painted pixel by pixel, for while the training moves: a browser that strokes hundreds of
// curves takes several times as long, and longer still for dashes.
// A line passes through each column of pixels once. There it is centred at a height y and rises by k,
// so that it covers width·√(1 + k²) of the column, and its two edges are as soft as they rise.

// How a curve between two units rises, from 0 to 1, at the middle of each of so many columns, and how
// steeply. Its points are (1.5·t·(1 − t) + t³, 3t² − 2t³), a Bézier curve that is level at both ends.
const riseOver = remembered((columns) => {
  const rise = new Float64Array(columns);
  const slope = new Float64Array(columns);
  for (let i = 0; i < columns; i += 1) {
    let [low, high] = [0, 1];
    while (high - low > 1e-6) {
      const t = (low + high) / 2;
      if (1.5 * t * (1 - t) + t ** 3 < (i + 0.5) / columns) low = t;
      else high = t;
    }
    rise[i] = low * low * (3 - 2 * low);
    slope[i] = (6 * low * (1 - low)) / (1.5 - 3 * low * (1 - low)) / columns;
  }
  return { rise, slope };
}, 64);

// Blend a line into the picture; dashes are counted along it.
function paintLine({ data, width: across, height: down }, { start, end }, [red, green, blue], { width, opacity }, dashes) {
  const scale = window.devicePixelRatio || 1;
  const [x0, y0, x1, y1, wide] = [start.x, start.y, end.x, end.y, width].map((length) => length * scale);
  const [left, right] = [Math.max(Math.round(x0), 0), Math.min(Math.round(x1), across)];
  if (right <= left) return;
  const { rise, slope } = riseOver(right - left);
  const [drawn, period] = dashes ? [dashes[0] * scale, (dashes[0] + dashes[1]) * scale] : [Infinity, Infinity];
  let along = 0;
  for (let i = 0; i < rise.length; i += 1) {
    const k = Math.abs((y1 - y0) * slope[i]);
    const stretch = Math.sqrt(1 + k * k);
    const isGap = along >= drawn;
    along += stretch;
    if (along >= period) along -= period;
    if (isGap) continue;
    const y = y0 + (y1 - y0) * rise[i] - 0.5; // pixels are counted by their middles
    const half = (wide * stretch) / 2;
    const softness = opacity / (1 + k);
    const reach = half + (1 + k) / 2;
    const most = Math.min(opacity, 2 * half * softness);
    const last = Math.min(Math.floor(y + reach), down - 1);
    for (let row = Math.max(Math.ceil(y - reach), 0); row <= last; row += 1) {
      const share = Math.min(most, (reach - Math.abs(row - y)) * softness);
      const at = 4 * (row * across + left + i);
      data[at] += (red - data[at]) * share;
      data[at + 1] += (green - data[at + 1]) * share;
      data[at + 2] += (blue - data[at + 2]) * share;
    }
  }
}

let paintedLines = null; // the picture in which they are blended

// All lines, on paper, over the one that changed most. They fill the canvas: units are drawn over them.
function paintLines(context, looks, widened) {
  const { width: across, height: down } = context.canvas;
  if (paintedLines?.width !== across || paintedLines.height !== down) paintedLines = new ImageData(across, down);
  new Uint32Array(paintedLines.data.buffer).fill(pixel(palette.paper));
  if (widened) paintLine(paintedLines, widened, palette.mark, HALO, null);
  for (const [i, look] of looks.entries()) {
    const colour = palette[look.isNegative ? "gradient" : "value"];
    if (look.width > 0) paintLine(paintedLines, lines[i], colour, look, look.isNegative ? DASHES : null);
  }
  context.putImageData(paintedLines, 0, 0);
}
