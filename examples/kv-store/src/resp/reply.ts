/**
 * Replies as they go on the wire: every function returns the finished bytes as a latin1 string (one character per byte),
 * which V8 joins cheaply and the socket writes in one go. `protocol` is what the connection agreed on with HELLO.
 */

export type Protocol = 2 | 3;

/** Finished bytes of one reply, one character each. */
export type Reply = string;

export const ok: Reply = "+OK\r\n";
export const pong: Reply = "+PONG\r\n";
export const emptyArray: Reply = "*0\r\n";

/** A status without line breaks. */
export function simple(text: string): Reply {
  return `+${text}\r\n`;
}

/** `text` begins with its code: "ERR …". What cannot be in an error line is replaced, as Redis does. */
export function error(text: string): Reply {
  // eslint-disable-next-line no-control-regex
  return `-${text.replaceAll(/[\r\n]/g, " ").replaceAll(/[^\0-\xff]/g, "?")}\r\n`;
}

/** A string is taken as a decimal number: 64-bit integers do not fit a number. */
export function integer(value: number | string): Reply {
  return `:${value}\r\n`;
}

/** Any bytes. */
export function bulk(value: string): Reply {
  return `$${value.length}\r\n${value}\r\n`;
}

export function nil(protocol: Protocol): Reply {
  return protocol === 3 ? "_\r\n" : "$-1\r\n";
}

export function bulkOrNil(value: string | undefined | null, protocol: Protocol): Reply {
  return value === undefined || value === null ? nil(protocol) : bulk(value);
}

export function array(items: readonly Reply[]): Reply {
  return `*${items.length}\r\n${items.join("")}`;
}

/** Name and value by turns in RESP2. */
export function map(pairs: readonly (readonly [Reply, Reply])[], protocol: Protocol): Reply {
  const body = pairs.map(([name, value]) => name + value).join("");
  return protocol === 3 ? `%${pairs.length}\r\n${body}` : `*${pairs.length * 2}\r\n${body}`;
}

/** An array in RESP2. */
export function set(items: readonly Reply[], protocol: Protocol): Reply {
  return protocol === 3 ? `~${items.length}\r\n${items.join("")}` : array(items);
}

/** Text for people; `text` is latin1 like everything here. A bulk string in RESP2. */
export function verbatim(text: string, protocol: Protocol): Reply {
  return protocol === 3 ? `=${text.length + 4}\r\ntxt:${text}\r\n` : bulk(text);
}
