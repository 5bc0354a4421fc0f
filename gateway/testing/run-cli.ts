// Runs the command as users do: a process of its own, in a directory of its own, without this process's settings.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../bin/rosettamq.js', import.meta.url));

export interface CliRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** For Node itself, before the command. */
  readonly nodeArguments?: readonly string[];
}

/** The process, running. */
export function spawnCli(args: readonly string[], options: CliOptions) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ROSETTAMQ_')));
  return spawn(process.execPath, [...(options.nodeArguments ?? []), BIN, ...args], {
    cwd: options.cwd,
    env: { ...env, ...options.env },
    stdio: 'pipe',
  });
}

/** The process from start to end. */
export function runCli(args: readonly string[], options: CliOptions): Promise<CliRun> {
  const child = spawnCli(args, options);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.stdin ?? '');
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}
