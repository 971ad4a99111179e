/** All deliberate mistakes, in the order of docs/protocol.md. */
import type { Mutation } from "../mutation.js";
import { applying } from "./applying.js";
import { durability } from "./durability.js";
import { files } from "./files.js";
import { normalOperation } from "./normal-operation.js";
import { quorum } from "./quorum.js";
import { synchronising } from "./synchronising.js";
import { viewChange } from "./view-change.js";

export const catalogue: readonly Mutation[] = [...normalOperation, ...viewChange, ...quorum, ...synchronising, ...applying, ...durability, ...files];
