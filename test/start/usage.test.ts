/** What the programs behind `npm run` and `npm test` say when they are asked how they are used, and when they are used wrongly. */
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { runProgram, type Ended } from "./programs.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const programs = { test: "run.js", bench: "bench/main.js", simulate: "simulate/main.js", chaos: "chaos/main.js", mutations: "mutations/main.js" } as const;

async function run(name: keyof typeof programs, ...args: readonly string[]): Promise<Ended> {
  return runProgram(process.execPath, [`test/dist/${programs[name]}`, ...args], { cwd: root });
}

it.each(["test", "bench", "simulate", "chaos", "mutations"] as const)("%s prints its usage for --help, and does nothing else", async (name) => {
  const { code, output } = await run(name, "--help");
  expect(output).toMatch(new RegExp(`^Usage: npm (run )?${name} -- .*\n`));
  expect(output.split("\n").length).toBeLessThan(5);
  expect(code).toBe(0);
});

it.each([
  ["bench", ["--nonsense"], "Unknown option '--nonsense'"],
  ["bench", ["--totem"], "Option '--totem <value>' argument missing"],
  ["bench", ["table", "nonsense"], 'There is no benchmark "nonsense".'],
  ["bench", ["table", "--totem", "nonsense"], '--totem takes KEY=VALUE, such as transport=udpu, not "nonsense".'],
  ["bench", ["table", "--json", "/there/is/no/such/directory"], "--json /there/is/no/such/directory: ENOENT"],
  ["simulate", ["--nonsense"], "Unknown option '--nonsense'"],
  ["simulate", ["--trace"], "--trace shows one history"],
  ["chaos", ["--nonsense"], "Unknown option '--nonsense'"],
  ["chaos", ["--totem", "nonsense"], "--totem takes KEY=VALUE"],
  ["chaos", ["--nodes", "4"], "--nodes is 3 or 5, not 4"],
  ["mutations", ["nonsense"], "Unexpected argument 'nonsense'"],
  ["mutations", ["--only", "nonsense"], "there is no mutation nonsense"],
] as const)("%s %j is refused in one line, with the usage", async (name, args, says) => {
  const { code, output } = await run(name, ...args);
  const [first, second] = output.split("\n");
  expect(first).toContain(says);
  expect(second).toContain(`Usage: npm run ${name} -- `);
  expect(code).toBe(2);
});
