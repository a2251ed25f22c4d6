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
