/** The package's. */
export const lockServiceVersion = "0.1.0";
