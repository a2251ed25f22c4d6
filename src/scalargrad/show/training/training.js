// A training: a network, its parameters snapshot by snapshot, and what follows from them. One was
// recorded in Python; others are computed here when someone changes a setting.

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

const SPREADS = 2; // snapshots whose numbers over the plane are kept
const GRID_LANES = 64; // points of the plane that are computed side by side: few, so that they stay in fast memory

let finePoints = null; // made when they are asked for first

class Training {
  constructor(program, cells, unit) {
    this.cells = cells;
    this.unit = unit;
    this.steps = [];
    this.rates = [];
    this.losses = [];
    this.parameters = []; // of each snapshot
    this.greatestWeight = 0;
    this.stopped = "";
    this.parameterCount = program.inputs - width;
    this.layers = [];
    for (const [c, cell] of cells.entries()) (this.layers[cell.layer] ??= []).push(c);
    this.weights = cells.flatMap((cell, to) => cell.sources.map(([from, node]) => ({ parameter: node - width, from, to })));
    this.places = this.placesOfParameters();
    this.model = new Program(program, examples.length);
    for (const [i, input] of examples.entries()) {
      for (let axis = 0; axis < width; axis += 1) this.model.values[axis][i] = input[axis];
    }
    this.plane = new Program(program, Math.min(GRID_LANES, gridSize.across * gridSize.down));
    this.answers = remembered((k) => this.answer(k));
    this.gradients = remembered((k, example) => this.descend(this.parameters[k], example).slopes, 4); // of the mean loss, or one example's
    this.changes = remembered((k) => this.change(k));
    this.spreads = []; // arrays of the last two, which the next but one is written into
    this.overPlane = remembered((k, example) => this.spread(k, example), SPREADS);
    this.overFinePlane = remembered((k, example) => this.outputsAt(k, example, (finePoints ??= pointsOf(fineGrid))), 1);
  }

  get count() {
    return this.steps.length;
  }

  // Take a snapshot: what the network was after a step.
  push(step, rate, loss, parameters) {
    this.steps.push(step);
    this.rates.push(rate);
    this.losses.push(loss);
    this.parameters.push(parameters);
    for (const { parameter } of this.weights) {
      const size = Math.abs(parameters[parameter]);
      if (size > this.greatestWeight && size < Infinity) this.greatestWeight = size;
    }
  }

  // Where each parameter stands in the network.
  placesOfParameters() {
    const places = [...Array(this.parameterCount)].map(() => "a parameter");
    for (const cell of this.cells) {
      for (const [source, node] of cell.sources) places[node - width] = `the weight from ${this.cells[source].name} to ${cell.name}`;
      const bias = cell.bias === null ? -1 : cell.bias - width;
      if (bias >= 0 && bias < this.parameterCount) places[bias] = `the bias of ${cell.name}`;
    }
    return places;
  }

  // Every node of the model for every example, with parameters as given.
  run(parameters) {
    load(this.model, parameters);
    return this.model.run();
  }

  // What the model answers to every example, the loss of each, and how many are right.
  answer(k) {
    const values = this.run(this.parameters[k]);
    const columns = this.model.outputs.map((node) => values[node]);
    const outputs = examples.map((_, i) => columns.map((column) => column[i]));
    const losses = [...lossesOf(columns)];
    const right = task.classes.filter((wanted, i) => verdict(outputs[i]) === wanted).length;
    return { outputs, losses, right };
  }

  // The gradient of the mean loss, or of one example's, for every parameter as given, and the loss itself.
  descend(parameters, example = null) {
    const values = this.run(parameters);
    const outputs = this.model.outputs.map((node) => values[node]);
    const losses = lossesOf(outputs);
    const pluralize = example === null ? losses.map(() => 1 / examples.length) : losses.map((_, i) => Number(i === example));
    const signals = this.model.gradient(lossSlopes(outputs).map((slope) => slope.map((x, i) => pluralize[i] && x * pluralize[i])));
    const slopes = new Float64Array(this.parameterCount);
    for (let p = 0; p < slopes.length; p += 1) slopes[p] = total(signals[width + p], example);
    return { slopes, loss: total(losses, null) / examples.length };
  }

  // By how much every parameter changed since the snapshot before.
  change(k) {
    const now = this.parameters[k];
    return k === 0 ? now.map(() => 0) : now.map((x, p) => x - this.parameters[k - 1][p]);
  }

  // Every cell's output for an example at a snapshot.
  activations(k, example) {
    const values = this.run(this.parameters[k]);
    return this.cells.map((cell) => values[cell.output][example]);
  }

  // Every cell's output, and the model's outputs, over the grid at a snapshot; the plane passes
  // through an example, or through the means of all. Arrays are used again: to make so many for each
  // frame takes as long as to fill them.
  spread(k, example) {
    const nodes = [...this.cells.map(({ output }) => output), ...this.plane.outputs];
    const each = this.spreads.length < SPREADS ? nodes.map(() => new Float64Array(gridPoints.length)) : this.spreads.shift();
    this.spreads.push(each);
    this.overPoints(k, example, gridPoints, (start, count) => {
      for (let n = 0; n < nodes.length; n += 1) copyLanes(this.plane.values[nodes[n]], each[n], start, count);
    });
    return { fields: each.slice(0, this.cells.length), outputs: each.slice(this.cells.length) };
  }

  // The model's outputs at points of that plane, an array for each output.
  outputsAt(k, example, points) {
    const { values, outputs } = this.plane;
    const answered = outputs.map(() => new Float64Array(points.length));
    this.overPoints(k, example, points, (start, count) => {
      for (const [o, found] of answered.entries()) copyLanes(values[outputs[o]], found, start, count);
    });
    return answered;
  }

  // Run the model at points of that plane, some side by side, and have each run's numbers taken.
  overPoints(k, example, points, take) {
    const { values, lanes } = this.plane;
    load(this.plane, this.parameters[k]);
    for (const [axis, x] of pointOfSlice(example).entries()) values[axis].fill(x);
    for (let start = 0; start < points.length; start += lanes) {
      const taken = Math.min(lanes, points.length - start);
      for (let lane = 0; lane < taken; lane += 1) {
        const at = points[start + lane];
        for (let i = 0; i < plane.length; i += 1) values[plane[i]][lane] = at[i];
      }
      this.plane.run();
      take(start, taken);
    }
  }
}

// Give every lane of a program the same parameters.
function load(program, parameters) {
  for (let p = 0; p < parameters.length; p += 1) program.values[width + p].fill(parameters[p]);
}

// A loop, because a call of `set` for each of so few numbers takes three times as long.
function copyLanes(lanes, into, start, count) {
  for (let lane = 0; lane < count; lane += 1) into[start + lane] = lanes[lane];
}

// What all lanes add up to, or one of them.
function total(lanes, only) {
  if (only !== null) return lanes[only];
  let sum = 0;
  for (let i = 0; i < lanes.length; i += 1) sum += lanes[i];
  return sum;
}

// The class that outputs stand for.
function verdict(output) {
  if (task.kind === "threshold") return Number(output[0] > task.threshold);
  return output.indexOf(Math.max(...output));
}

// The training that was recorded, and the one that is shown.

const recordedTraining = new Training(recorded.model, recorded.cells, recorded.unit);
{
  const { steps, rates, losses, parameters } = recorded.snapshots;
  const numbers = new Float64Array(Uint8Array.from(atob(parameters), (letter) => letter.charCodeAt(0)).buffer);
  const size = recordedTraining.parameterCount;
  for (const k of steps.keys()) {
    recordedTraining.push(steps[k], float(rates[k]), float(losses[k]), numbers.subarray(k * size, (k + 1) * size));
  }
}

let training = recordedTraining;

// What the lines show: a number for each weight, which multiplies the output of a cell.
function lineNumbers(weights) {
  if (state.view === "products") return productsOf(weights);
  const numbers = {
    weights: () => training.parameters[state.at],
    gradients: () => training.gradients(state.at, state.example),
    changes: () => training.changes(state.at),
  }[state.view]();
  return weights.map(({ parameter }) => numbers[parameter]);
}

// What the selected example sends along each line.
function productsOf(weights) {
  const [now, values] = [training.parameters[state.at], training.activations(state.at, state.example)];
  return weights.map(({ parameter, from }) => now[parameter] * values[from]);
}

// Training anew, in the page: all examples at once, with the optimiser's own rule, recorded in Python.

const isWhole = (numbers) => numbers.every(Number.isFinite);

class Retraining {
  // `hidden` are the sizes of the hidden layers; without a seed weights begin as they did in Python.
  constructor({ hidden, rate, seed }) {
    const asRecorded = hidden.join() === hiddenSizes.join();
    const { program, cells } = asRecorded ? { program: recorded.model, cells: recorded.cells } : resized(hidden);
    this.training = new Training(program, cells, "epoch");
    this.rate = rate;
    this.parameters = asRecorded && seed === null ? recordedTraining.parameters[0] : drawn(this.training, seed ?? 0);
    const { first, later, state } = recorded.retraining;
    this.rules = [first, later].map((rule) => new Program(rule, this.parameters.length));
    this.state = state.map((x) => new Float64Array(this.parameters.length).fill(x));
    this.keep();
  }

  // Keep the network as it is now as the next snapshot.
  keep() {
    const { slopes, loss } = this.training.descend(this.parameters);
    this.slopes = slopes;
    this.training.push(this.training.count, this.rate, loss, this.parameters);
  }

  // Take one step; false where numbers are no longer finite, and nothing has changed.
  advance() {
    const step = this.training.count;
    const rule = this.rules[step === 1 ? 0 : 1];
    const sign = recorded.retraining.ascends ? -1 : 1;
    const given = [this.parameters, this.slopes.map((x) => sign * x), ...this.state];
    for (const [i, numbers] of given.entries()) rule.values[i].set(numbers);
    rule.values[given.length].fill(this.rate);
    rule.values[given.length + 1].fill(step);
    const values = rule.run();
    const [parameters, ...state] = rule.outputs.map((node) => values[node].slice());
    if (!Number.isFinite(this.training.losses.at(-1)) || !isWhole(this.slopes) || !isWhole(parameters)) {
      this.training.stopped = `stopped at epoch ${step - 1}: numbers would no longer be finite. Lower the learning rate.`;
      return false;
    }
    [this.parameters, this.state] = [parameters, state];
    this.keep();
    return true;
  }
}

// The recorded network with other sizes of hidden layers, and first weights for it.

const recordedLayers = recordedTraining.layers;
const hiddenSizes = recordedLayers.slice(1, -1).map((layer) => layer.length);

// A network of these hidden layers: its program, written from the pieces of the recorded one.
function resized(hidden) {
  const old = recorded.model;
  const sizes = [recordedLayers[0].length, ...hidden, recordedLayers.at(-1).length];
  const hasBias = (l) => recorded.cells[recordedLayers[l][0]].bias !== null;
  const parameters = sizes.slice(1).reduce((sum, size, l) => sum + size * (sizes[l] + Number(hasBias(l + 1))), 0);
  const program = { inputs: width + parameters, nodes: [], outputs: [] };
  const cells = [];
  const write = (node) => program.inputs + program.nodes.push(node) - 1;
  // A node of the recorded program, written with what it is computed from, unless that is known.
  const copy = (node, known) => {
    if (!known.has(node)) {
      const written = old.nodes[node - old.inputs];
      known.set(node, write(Array.isArray(written) ? [written[0], ...written.slice(1).map((i) => copy(i, known))] : written));
    }
    return known.get(node);
  };

  const known = new Map([...Array(width).keys()].map((i) => [i, i]));
  for (const c of recordedLayers[0]) cells.push({ ...recorded.cells[c], output: copy(recorded.cells[c].output, known) });
  let before = cells.map((_, c) => c);
  let parameter = width;
  for (let l = 1; l < sizes.length; l += 1) {
    const layer = [...Array(sizes[l]).keys()].map((place) => {
      const sources = before.map((c) => [c, parameter++]);
      const bias = hasBias(l) ? parameter++ : null;
      const operands = [...sources.map(([, node]) => node), ...before.map((c) => cells[c].output), ...(bias === null ? [] : [bias])];
      const weighted = write([`dot/${operands.length}`, ...operands]);
      const isLast = l === sizes.length - 1;
      const like = recorded.cells[recordedLayers[l][isLast ? place : 0]];
      if (isLast) known.set(like.weighted, weighted);
      const output = isLast ? weighted : copy(like.output, new Map([[like.weighted, weighted]]));
      const name = isLast ? like.name : recorded.retraining.names[l - 1][place];
      return cells.push({ name, layer: l, output, weighted, activation: like.activation, sources, bias }) - 1;
    });
    before = layer;
  }
  for (const [place, c] of before.entries()) cells[c].output = copy(recorded.cells[recordedLayers.at(-1)[place]].output, known);
  program.outputs = old.outputs.map((node) => copy(node, known));
  return { program, cells };
}

// First weights and biases, uniform within 1/√n for n inputs; a seed always gives the same.
function drawn(network, seed) {
  const { cells, layers, parameterCount } = network;
  const draw = seededRandom(seed);
  const parameters = new Float64Array(parameterCount);
  for (const c of layers.slice(1).flat()) {
    const { sources, bias } = cells[c];
    const nodes = [...sources.map(([, node]) => node), ...(bias === null ? [] : [bias])];
    for (const node of nodes) parameters[node - width] = (2 * draw() - 1) / Math.sqrt(sources.length);
  }
  return parameters;
}
