// How a command ends. Exit codes: 0 done, 1 refused or failed, 2 wrong usage or configuration, 3 broker not reached.
export const EXIT = { done: 0, failed: 1, usage: 2, unreachable: 3 } as const;

/** The message says what, why and what to do; it is printed as it is, without a stack. */
export class CliError extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode: number = EXIT.failed, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'CliError';
    this.exitCode = exitCode;
  }
}
