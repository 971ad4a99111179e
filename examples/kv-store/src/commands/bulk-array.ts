/** Arrays of values as replies, kept within what one reply may have. */
import { array, bulk, bulkOrNil, type Protocol, type Reply } from "../resp/reply.js";
import type { Service } from "../server/service.js";
import { CommandError } from "./command-error.js";

/** @throws CommandError if the values have more than `limits.replyBytes`. */
export function bulkArray(values: readonly (string | undefined)[], protocol: Protocol, { limits }: Service): Reply {
  let bytes = 0;
  for (const value of values) bytes += value?.length ?? 0;
  if (bytes > limits.replyBytes) throw new CommandError(`ERR the reply has more than ${limits.replyBytes} bytes; ask for less at a time`);
  return array(values.map((value) => (value === undefined ? bulkOrNil(value, protocol) : bulk(value))));
}
