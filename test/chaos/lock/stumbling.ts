/** From a client to the controller: it is between its look and its write, and is to be stopped for longer than its lease. */
export const stumbling = "stumbling";
