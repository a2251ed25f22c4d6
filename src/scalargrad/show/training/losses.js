// The loss of every example. Programs that differ in their numbers only, such as targets, are run
// as one, with a lane for each example.

const lossGroups = [];
{
  const shapes = new Map();
  for (const [example, which] of recorded.lossOf.entries()) {
    const { inputs, nodes, outputs } = recorded.losses[which];
    const shape = JSON.stringify([inputs, nodes.map((node) => Array.isArray(node) && node), outputs]);
    if (!shapes.has(shape)) shapes.set(shape, []);
    shapes.get(shape).push(example);
  }
  for (const members of shapes.values()) {
    const program = new Program(recorded.losses[recorded.lossOf[members[0]]], members.length);
    for (const [lane, example] of members.entries()) {
      for (const [offset, written] of recorded.losses[recorded.lossOf[example]].nodes.entries()) {
        if (!Array.isArray(written)) program.values[program.inputs + offset][lane] = float(written);
      }
    }
    lossGroups.push({ members, program });
  }
}

// What the model's outputs, an array for each, cost every example.
function lossesOf(outputs) {
  const found = new Float64Array(examples.length);
  for (const { members, program } of lossGroups) {
    for (const [o, output] of outputs.entries()) {
      for (const [lane, example] of members.entries()) program.values[o][lane] = output[example];
    }
    const each = program.run()[program.outputs[0]];
    for (const [lane, example] of members.entries()) found[example] = each[lane];
  }
  return found;
}

// How the losses just computed depend on the outputs, an array for each.
function lossSlopes(outputs) {
  const slopes = outputs.map(() => new Float64Array(examples.length));
  for (const { members, program } of lossGroups) {
    const signals = program.gradient([new Float64Array(members.length).fill(1)]);
    for (const [o, slope] of slopes.entries()) {
      for (const [lane, example] of members.entries()) slope[example] = signals[o][lane];
    }
  }
  return slopes;
}
