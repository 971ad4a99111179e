/** Run by memory.test.ts as a process of its own: joins a group, sends, hears itself, and closes nothing. */
import { memory } from "../../dist/transport/memory/index.js";

const transport = memory();
await transport.join("g", {
  deliver: (messages) => { for (const { data } of messages) console.log(`delivered ${new TextDecoder().decode(data)}`); },
  configurationChanged() {}, ringChanged() {}, quorumChanged() {}, writable() {}, closed() {},
});
transport.multicast(new TextEncoder().encode("hello"));
