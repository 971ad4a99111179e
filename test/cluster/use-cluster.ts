/** A cluster for the tests of one file: started before them, mended after each, its logs kept if one failed. */
import { afterAll, afterEach, beforeAll } from "vitest";
import { Cluster } from "./cluster.js";
import type { ClusterOptions } from "./cluster.js";

export function useCluster(options: ClusterOptions = {}): () => Cluster {
  let cluster: Cluster | undefined;
  let failed = false;
  beforeAll(async () => {
    cluster = await Cluster.start(options);
  });
  afterEach(async ({ task }) => {
    failed ||= task.result?.state === "fail";
    await cluster?.mend();
  });
  afterAll(async () => {
    if (failed) console.error(`Corosync's logs of the failed tests are in ${String(cluster?.directory)}`);
    await cluster?.stop({ keepLogs: failed });
  });
  return () => {
    if (cluster === undefined) throw new Error("The cluster is there from beforeAll() on, not while tests are being declared.");
    return cluster;
  };
}
