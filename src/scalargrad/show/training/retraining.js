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
  for (const c of recordedLayers[0]) cells.push({ ...recorded.cells[c], node: copy(recorded.cells[c].node, known) });
  let before = cells.map((_, c) => c);
  let parameter = width;
  for (let l = 1; l < sizes.length; l += 1) {
    const layer = [...Array(sizes[l]).keys()].map((place) => {
      const sources = before.map((c) => [c, parameter++]);
      const bias = hasBias(l) ? parameter++ : null;
      const operands = [...sources.map(([, node]) => node), ...before.map((c) => cells[c].node), ...(bias === null ? [] : [bias])];
      const weighted = write([`dot/${operands.length}`, ...operands]);
      const isLast = l === sizes.length - 1;
      const like = recorded.cells[recordedLayers[l][isLast ? place : 0]];
      if (isLast) known.set(like.weighted, weighted);
      const node = isLast ? weighted : copy(like.node, new Map([[like.weighted, weighted]]));
      const name = isLast ? like.name : recorded.retraining.names[l - 1][place];
      return cells.push({ name, layer: l, node, weighted, activation: like.activation, sources, bias }) - 1;
    });
    before = layer;
  }
  for (const [place, c] of before.entries()) cells[c].node = copy(recorded.cells[recordedLayers.at(-1)[place]].node, known);
  program.outputs = old.outputs.map((node) => copy(node, known));
  return { program, cells };
}

// First weights and biases, uniform within 1/√n for n inputs; a seed always gives the same.
function drawn(network, seed) {
  const { cells, layers, parameterCount } = network;
  const draw = randomBy(seed);
  const parameters = new Float64Array(parameterCount);
  for (const c of layers.slice(1).flat()) {
    const { sources, bias } = cells[c];
    const nodes = [...sources.map(([, node]) => node), ...(bias === null ? [] : [bias])];
    for (const node of nodes) parameters[node - width] = (2 * draw() - 1) / Math.sqrt(sources.length);
  }
  return parameters;
}
