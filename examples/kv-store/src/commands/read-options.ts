/** How this server reads: one options object per consistency, made once. */
import type { QueryOptions } from "@lockstep/framework";
import type { Service } from "../server/service.js";

const linearizable: QueryOptions = { consistency: "linearizable" };
const sequential: QueryOptions = { consistency: "sequential" };

export function readOptions(service: Service): QueryOptions {
  return service.reads === "linearizable" ? linearizable : sequential;
}
