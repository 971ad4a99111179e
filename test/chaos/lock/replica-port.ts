/** The same on every node: each has an address of its own. */
export const port = 7400;
