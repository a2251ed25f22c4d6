// A training run: a network, its parameters in every snapshot, and the numbers derived from them. One was
// recorded in Python; others are computed here when a setting changes.

// Cache the results of a function for the last few arguments.
function memoize(compute, most = 3) {
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

const KEPT_FIELDS = 2; // number of snapshots whose outputs over the plane are cached
const GRID_LANES = 64; // points of the plane evaluated at once; few, so that they fit in the cache

let finePoints = null; // created when first used

class Training {
  constructor(program, units, stepName) {
    this.units = units;
    this.stepName = stepName;
    this.steps = [];
    this.rates = [];
    this.losses = [];
    this.parameters = []; // of each snapshot
    this.greatestWeight = 0;
    this.stopped = "";
    this.parameterCount = program.inputs - width;
    this.layers = [];
    for (const [c, unit] of units.entries()) (this.layers[unit.layer] ??= []).push(c);
    this.weights = units.flatMap((unit, to) => unit.sources.map(([from, node]) => ({ parameter: node - width, from, to })));
    this.places = this.describeParameters();
    this.model = new Program(program, examples.length);
    for (const [i, input] of examples.entries()) {
      for (let axis = 0; axis < width; axis += 1) this.model.values[axis][i] = input[axis];
    }
    this.plane = new Program(program, Math.min(GRID_LANES, gridSize.across * gridSize.down));
    this.answers = memoize((k) => this.answer(k));
    this.gradients = memoize((k, example) => this.descend(this.parameters[k], example).slopes, 4); // of the mean loss, or of the loss of one example
    this.changes = memoize((k) => this.change(k));
    this.spreads = []; // arrays of the cached snapshots, which are reused
    this.fieldsOverPlane = memoize((k, example) => this.spread(k, example), KEPT_FIELDS);
    this.outputsOverFinePlane = memoize((k, example) => this.outputsAt(k, example, (finePoints ??= pointsOf(fineGrid))), 1);
  }

  get count() {
    return this.steps.length;
  }

  // Append a snapshot: the parameters after a step.
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

  // A description of each parameter: its position in the network.
  describeParameters() {
    const places = [...Array(this.parameterCount)].map(() => "a parameter");
    for (const unit of this.units) {
      for (const [source, node] of unit.sources) places[node - width] = `the weight from ${this.units[source].name} to ${unit.name}`;
      const bias = unit.bias === null ? -1 : unit.bias - width;
      if (bias >= 0 && bias < this.parameterCount) places[bias] = `the bias of ${unit.name}`;
    }
    return places;
  }

  // The values of all nodes for every example, at these parameters.
  run(parameters) {
    load(this.model, parameters);
    return this.model.run();
  }

  // The outputs and the loss for every example, and the number of correct ones.
  answer(k) {
    const values = this.run(this.parameters[k]);
    const columns = this.model.outputs.map((node) => values[node]);
    const outputs = examples.map((_, i) => columns.map((column) => column[i]));
    const losses = [...lossesOf(columns)];
    const right = task.classes.filter((wanted, i) => predictedClass(outputs[i]) === wanted).length;
    return { outputs, losses, right };
  }

  // The gradient of the mean loss, or of the loss of one example, at these parameters, and the mean loss.
  descend(parameters, example = null) {
    const values = this.run(parameters);
    const outputs = this.model.outputs.map((node) => values[node]);
    const losses = lossesOf(outputs);
    const pluralize = example === null ? losses.map(() => 1 / examples.length) : losses.map((_, i) => Number(i === example));
    const adjoints = this.model.gradient(lossGradients(outputs).map((slope) => slope.map((x, i) => pluralize[i] && x * pluralize[i])));
    const slopes = new Float64Array(this.parameterCount);
    for (let p = 0; p < slopes.length; p += 1) slopes[p] = total(adjoints[width + p], example);
    return { slopes, loss: total(losses, null) / examples.length };
  }

  // The change of every parameter since the previous snapshot.
  change(k) {
    const now = this.parameters[k];
    return k === 0 ? now.map(() => 0) : now.map((x, p) => x - this.parameters[k - 1][p]);
  }

  // The output of every unit for an example at a snapshot.
  activations(k, example) {
    const values = this.run(this.parameters[k]);
    return this.units.map((unit) => values[unit.output][example]);
  }

  // The outputs of every unit and of the model over the grid at a snapshot; the plane passes through an
  // example, or through the means. Arrays are reused, since allocating them for each frame takes as long as
  // filling them.
  spread(k, example) {
    const nodes = [...this.units.map(({ output }) => output), ...this.plane.outputs];
    const each = this.spreads.length < KEPT_FIELDS ? nodes.map(() => new Float64Array(gridPoints.length)) : this.spreads.shift();
    this.spreads.push(each);
    this.overPoints(k, example, gridPoints, (start, count) => {
      for (let n = 0; n < nodes.length; n += 1) copyLanes(this.plane.values[nodes[n]], each[n], start, count);
    });
    return { fields: each.slice(0, this.units.length), outputs: each.slice(this.units.length) };
  }

  // The outputs of the model at points of the plane, an array for each output.
  outputsAt(k, example, points) {
    const { values, outputs } = this.plane;
    const answered = outputs.map(() => new Float64Array(points.length));
    this.overPoints(k, example, points, (start, count) => {
      for (const [o, found] of answered.entries()) copyLanes(values[outputs[o]], found, start, count);
    });
    return answered;
  }

  // Evaluate the model at points of the plane, several at once, and call `take` after each run.
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

// Set the parameters of a program in all lanes.
function load(program, parameters) {
  for (let p = 0; p < parameters.length; p += 1) program.values[width + p].fill(parameters[p]);
}

// A loop is three times as fast as `set` for so few numbers.
function copyLanes(lanes, into, start, count) {
  for (let lane = 0; lane < count; lane += 1) into[start + lane] = lanes[lane];
}

// The sum over all lanes, or the number of one lane.
function total(lanes, only) {
  if (only !== null) return lanes[only];
  let sum = 0;
  for (let i = 0; i < lanes.length; i += 1) sum += lanes[i];
  return sum;
}

// The predicted class.
function predictedClass(output) {
  if (task.kind === "threshold") return Number(output[0] > task.threshold);
  return output.indexOf(Math.max(...output));
}

// The recorded training run, and the current one.

const recordedTraining = new Training(recorded.model, recorded.units, recorded.stepName);
{
  const { steps, rates, losses, parameters } = recorded.snapshots;
  const numbers = new Float64Array(Uint8Array.from(atob(parameters), (letter) => letter.charCodeAt(0)).buffer);
  const size = recordedTraining.parameterCount;
  for (const k of steps.keys()) {
    recordedTraining.push(steps[k], float(rates[k]), float(losses[k]), numbers.subarray(k * size, (k + 1) * size));
  }
}

let training = recordedTraining;

// The numbers that lines show, one for each weight.
function lineNumbers(weights) {
  if (state.view === "products") return lineProducts(weights);
  const numbers = {
    weights: () => training.parameters[state.at],
    gradients: () => training.gradients(state.at, state.example),
    changes: () => training.changes(state.at),
  }[state.view]();
  return weights.map(({ parameter }) => numbers[parameter]);
}

// The products of weights and unit outputs, for the selected example.
function lineProducts(weights) {
  const [now, values] = [training.parameters[state.at], training.activations(state.at, state.example)];
  return weights.map(({ parameter, from }) => now[parameter] * values[from]);
}

// Training in the page: on all examples at once, by the optimizer's rule, which was recorded in Python.

const areFinite = (numbers) => numbers.every(Number.isFinite);

class Retraining {
  // `hidden` has the sizes of the hidden layers; without a seed, the first weights are those of Python.
  constructor({ hidden, rate, seed }) {
    const asRecorded = hidden.join() === hiddenSizes.join();
    const { program, units } = asRecorded ? { program: recorded.model, units: recorded.units } : resizeNetwork(hidden);
    this.training = new Training(program, units, "epoch");
    this.rate = rate;
    this.parameters = asRecorded && seed === null ? recordedTraining.parameters[0] : drawParameters(this.training, seed ?? 0);
    const { first, later, state } = recorded.retraining;
    this.rules = [first, later].map((rule) => new Program(rule, this.parameters.length));
    this.state = state.map((x) => new Float64Array(this.parameters.length).fill(x));
    this.keep();
  }

  // Append the current network as the next snapshot.
  keep() {
    const { slopes, loss } = this.training.descend(this.parameters);
    this.slopes = slopes;
    this.training.push(this.training.count, this.rate, loss, this.parameters);
  }

  // Take one step; return false without a change if numbers would not be finite.
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
    if (!Number.isFinite(this.training.losses.at(-1)) || !areFinite(this.slopes) || !areFinite(parameters)) {
      this.training.stopped = `stopped at epoch ${step - 1}: the next numbers would not be finite. Lower the learning rate.`;
      return false;
    }
    [this.parameters, this.state] = [parameters, state];
    this.keep();
    return true;
  }
}

// The recorded network with other sizes of hidden layers, and its first weights.

const recordedLayers = recordedTraining.layers;
const hiddenSizes = recordedLayers.slice(1, -1).map((layer) => layer.length);

// A network with these hidden layers, whose program is assembled from parts of the recorded one.
function resizeNetwork(hidden) {
  const old = recorded.model;
  const sizes = [recordedLayers[0].length, ...hidden, recordedLayers.at(-1).length];
  const hasBias = (l) => recorded.units[recordedLayers[l][0]].bias !== null;
  const parameters = sizes.slice(1).reduce((sum, size, l) => sum + size * (sizes[l] + Number(hasBias(l + 1))), 0);
  const program = { inputs: width + parameters, nodes: [], outputs: [] };
  const units = [];
  const append = (node) => program.inputs + program.nodes.push(node) - 1;
  // Copy a node of the recorded program and the nodes that it depends on, unless they are already copied.
  const copy = (node, known) => {
    if (!known.has(node)) {
      const encoded = old.nodes[node - old.inputs];
      known.set(node, append(Array.isArray(encoded) ? [encoded[0], ...encoded.slice(1).map((i) => copy(i, known))] : encoded));
    }
    return known.get(node);
  };

  const known = new Map([...Array(width).keys()].map((i) => [i, i]));
  for (const c of recordedLayers[0]) units.push({ ...recorded.units[c], output: copy(recorded.units[c].output, known) });
  let before = units.map((_, c) => c);
  let parameter = width;
  for (let l = 1; l < sizes.length; l += 1) {
    const layer = [...Array(sizes[l]).keys()].map((place) => {
      const sources = before.map((c) => [c, parameter++]);
      const bias = hasBias(l) ? parameter++ : null;
      const operands = [...sources.map(([, node]) => node), ...before.map((c) => units[c].output), ...(bias === null ? [] : [bias])];
      const weighted = append([`dot/${operands.length}`, ...operands]);
      const isLast = l === sizes.length - 1;
      const like = recorded.units[recordedLayers[l][isLast ? place : 0]];
      if (isLast) known.set(like.weighted, weighted);
      const output = isLast ? weighted : copy(like.output, new Map([[like.weighted, weighted]]));
      const name = isLast ? like.name : recorded.retraining.names[l - 1][place];
      return units.push({ name, layer: l, output, weighted, activation: like.activation, sources, bias }) - 1;
    });
    before = layer;
  }
  for (const [place, c] of before.entries()) units[c].output = copy(recorded.units[recordedLayers.at(-1)[place]].output, known);
  program.outputs = old.outputs.map((node) => copy(node, known));
  return { program, units };
}

// First weights and biases, uniform within ±1/√n for n inputs; the same seed gives the same numbers.
function drawParameters(network, seed) {
  const { units, layers, parameterCount } = network;
  const draw = seededRandom(seed);
  const parameters = new Float64Array(parameterCount);
  for (const c of layers.slice(1).flat()) {
    const { sources, bias } = units[c];
    const nodes = [...sources.map(([, node]) => node), ...(bias === null ? [] : [bias])];
    for (const node of nodes) parameters[node - width] = (2 * draw() - 1) / Math.sqrt(sources.length);
  }
  return parameters;
}
