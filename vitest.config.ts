import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["native/test/**/*.test.ts", "framework/test/**/*.test.ts", "examples/*/test/**/*.test.ts", "test/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
  },
});
