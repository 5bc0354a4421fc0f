import { defineConfig } from 'vitest/config';

// Unit tests sit beside their source. Tests that need real clients or long runs live in compat-tests and have their
// own runner (`npm run compat`), so that this tier needs nothing but npm and stays within minutes.
export default defineConfig({
  test: {
    include: ['{core,adapters,gateway,specs}/**/*.test.ts'],
    isolate: false,
    testTimeout: 30_000,
    reporters: ['default'],
  },
});
