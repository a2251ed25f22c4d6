// Python, in a thread of its own, so that the page stays alive and a loop without end can be stopped.
import { Graphviz } from "./graphviz/index.js";
import { loadPyodide } from "./pyodide/pyodide.mjs";

const waiting = (text, more) => postMessage({ waiting: text, ...more });

async function start() {
  waiting("Loading Python, 15 MB the first time …");
  const sources = fetch("python.zip").then((reply) => reply.arrayBuffer());
  const [graphviz, python] = await Promise.all([Graphviz.load(), loadPyodide()]);
  waiting("Loading scalargrad …");
  python.unpackArchive(await sources, "zip", { extractDir: "/lib/scalargrad" });
  python.runPython("import sys; sys.path.insert(0, '/lib/scalargrad')");
  const playground = python.pyimport("playground");
  playground.use((dot, kind) => graphviz.layout(dot, kind, "dot"));
  return playground;
}

const started = start();
started.then(() => postMessage({ ready: true }), (error) => postMessage({ broken: error.message }));
onmessage = async ({ data: { number, kind, text, inputs } }) => {
  const playground = await started;
  waiting(kind === "py" ? "Running the program …" : "Drawing the graph …", { number, stoppable: kind === "py" });
  postMessage({ number, ...JSON.parse(playground.answer(kind, text, inputs)) });
};
