/** What this server says it is. Clients choose by redisVersion what they may send; lockstepVersion is the package's. */

/** The Redis whose commands and texts this server follows. */
export const redisVersion = "7.0.15";
export const lockstepVersion = "0.1.0";
