/** Runs a trial in a process of its own, with an end: a mistake may well make a history that never ends. */
import { fork } from "node:child_process";
import type { Outcome, Report, Trial } from "./trial.js";

/** Longer than fifty histories of whole replicas take on a slow machine. */
const silenceMs = 90_000;

export function runTrial(trial: Trial): Promise<Outcome> {
  const child = fork(new URL("trial-process.js", import.meta.url), { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  return new Promise((resolve, reject) => {
    let histories = 0;
    const hung = (): void => {
      child.kill("SIGKILL");
      resolve({ kind: "caught", histories, seed: undefined, what: `a history that does not end: none was over for ${silenceMs / 1_000} s` });
    };
    let watchdog = setTimeout(hung, silenceMs);
    child.on("message", (report: Report) => {
      clearTimeout(watchdog);
      if (report.kind !== "progress") return resolve(report);
      ({ histories } = report);
      watchdog = setTimeout(hung, silenceMs);
    });
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      clearTimeout(watchdog);
      resolve({ kind: "broke", what: `the process ended (${signal ?? code}) without a word` });
    });
    child.send(trial);
  });
}
