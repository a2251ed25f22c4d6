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
