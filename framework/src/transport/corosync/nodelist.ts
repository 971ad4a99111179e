/** The nodes of corosync.conf's nodelist, and which of them this one is, as the running daemon has them. */
import { Cfg, Cmap, type HandleOptions } from "@lockstep/corosync";
import { LockstepError } from "../../errors.js";
import { toLockstepError } from "./errors.js";
import type { CompleteOptions } from "./options.js";
import { withinPatience } from "./patience.js";

/** Ascending. @throws LockstepError COROSYNC_UNAVAILABLE, CONFIGURATION_INVALID (no nodelist) */
export async function configuredNodes(options: CompleteOptions): Promise<readonly number[]> {
  const nodes = await readNodes(options).catch((error: unknown) => {
    throw toLockstepError(error);
  });
  if (nodes.length > 0) return nodes;
  throw new LockstepError("CONFIGURATION_INVALID", "corosync.conf has no nodelist with a nodeid for every node. Add one, or give the replica its slots.");
}

function readNodes(options: CompleteOptions): Promise<readonly number[]> {
  return withinPatience(options.patienceMs, async (signal) => {
    const cmap = await Cmap.open(bounds(options, signal));
    return whileOpen(cmap, signal, async () => {
      const entries = await cmap.entries("nodelist.node.");
      const nodes = entries.filter(({ key }) => /^nodelist\.node\.\d+\.nodeid$/.test(key)).map(({ value }) => Number(value));
      return [...new Set(nodes)].sort((a, b) => a - b);
    });
  });
}

/** @throws LockstepError COROSYNC_UNAVAILABLE */
export async function localNode(options: CompleteOptions): Promise<number> {
  try {
    return await withinPatience(options.patienceMs, async (signal) => {
      const cfg: Cfg = await Cfg.open({
        ...bounds(options, signal),
        // It is open for a moment only, and has nothing against a shutdown.
        listener: { shutdownRequested: () => void cfg.replyToShutdown("yes").catch(() => undefined), ended: () => undefined },
      });
      return whileOpen(cfg, signal, () => cfg.localNodeId());
    });
  } catch (error) {
    throw toLockstepError(error);
  }
}

function bounds({ patienceMs, farewellMs }: CompleteOptions, signal: AbortSignal): HandleOptions {
  return { tryAgainMs: patienceMs, closeMs: farewellMs, signal };
}

/** Asks and closes; closes while it asks if the signal says so. */
async function whileOpen<T>(handle: Cmap | Cfg, signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
  signal.addEventListener("abort", () => void handle.close(), { once: true });
  try {
    return await ask();
  } finally {
    await handle.close();
  }
}
