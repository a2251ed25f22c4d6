// Run a Python file in Pyodide: node pyodide.mjs PYODIDE PROGRAM SOURCES...
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [pyodide, program, ...folders] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(`${pyodide}/pyodide.mjs`));
const python = await loadPyodide({ indexURL: pyodide });
python.runPython("import sys; sys.dont_write_bytecode = True");
folders.forEach((root, i) => {
  python.FS.mkdir(`/sources${i}`);
  python.FS.mount(python.FS.filesystems.NODEFS, { root }, `/sources${i}`);
  python.runPython(`sys.path.insert(${i}, "/sources${i}")`);
});
try {
  python.runPython(readFileSync(program, "utf8"));
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
