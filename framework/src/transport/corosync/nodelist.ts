/** The nodes of corosync.conf's nodelist, and which of them this one is, as the running daemon has them. */
import { Cfg, Cmap } from "@lockstep/corosync";
import { LockstepError } from "../../errors.js";
import { toLockstepError } from "./errors.js";
import type { CompleteOptions } from "./options.js";

/** Ascending. @throws LockstepError COROSYNC_UNAVAILABLE, CONFIGURATION_INVALID (no nodelist) */
export async function configuredNodes(options: CompleteOptions): Promise<readonly number[]> {
  const nodes = await readNodes(options).catch((error: unknown) => {
    throw toLockstepError(error);
  });
  if (nodes.length > 0) return nodes;
  throw new LockstepError("CONFIGURATION_INVALID", "corosync.conf has no nodelist with a nodeid for every node. Add one, or give the replica its slots.");
}

async function readNodes(options: CompleteOptions): Promise<readonly number[]> {
  const cmap = await Cmap.open({ tryAgainMs: options.patienceMs, closeMs: options.farewellMs });
  try {
    const entries = await cmap.entries("nodelist.node.");
    const nodes = entries.filter(({ key }) => /^nodelist\.node\.\d+\.nodeid$/.test(key)).map(({ value }) => Number(value));
    return [...new Set(nodes)].sort((a, b) => a - b);
  } finally {
    await cmap.close();
  }
}

/** @throws LockstepError COROSYNC_UNAVAILABLE */
export async function localNode(options: CompleteOptions): Promise<number> {
  try {
    const cfg: Cfg = await Cfg.open({
      tryAgainMs: options.patienceMs, closeMs: options.farewellMs,
      // It is open for a moment only, and has nothing against a shutdown.
      listener: { shutdownRequested: () => void cfg.replyToShutdown("yes").catch(() => undefined), ended: () => undefined },
    });
    try {
      return await cfg.localNodeId();
    } finally {
      await cfg.close();
    }
  } catch (error) {
    throw toLockstepError(error);
  }
}
