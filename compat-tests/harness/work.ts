// The folder everything downloaded, built and written by the suites lives in, and how a command is run to make it.
// Nothing outside it is touched, except Debian packages (toolchain.ts) and what loop devices need (faults/loop-image.ts).
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

export const COMPAT = join(import.meta.dirname, '..');
export const ROOT = join(COMPAT, '..');
const WORK = join(COMPAT, '.work');

/** A path below the work folder; its parent exists afterwards. */
export function work(...parts: string[]): string {
  const path = join(WORK, ...parts);
  mkdirSync(join(path, '..'), { recursive: true });
  return path;
}

/** A fresh, empty folder for one run of one suite, on the same file system as the rest. */
export function scratch(name: string): string {
  return mkdtempSync(work('run', name + '-'));
}

/** Runs a command to its end; fails with the last lines it wrote when it exits with anything but 0. */
export async function execute(
  command: string,
  args: string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  let out = '';
  let all = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
    all += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    all += chunk.toString();
  });
  const code = await new Promise<number | string>((done) => {
    child.on('error', (error) => done(error.message));
    child.on('close', (exit, signal) => done(exit ?? signal ?? 'gone'));
  });
  if (code !== 0)
    throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${all.split('\n').slice(-15).join('\n')}`);
  return out;
}

/**
 * Builds a folder once per content of its inputs: the build writes to a temporary folder, which takes its final name
 * only when complete, so that an interrupted build is never taken for a finished one.
 */
export async function builtOnce(
  name: string,
  inputs: string[],
  build: (into: string) => Promise<void>,
): Promise<string> {
  const hash = createHash('sha256');
  for (const input of inputs) hash.update(readFileSync(input));
  const done = work(`${name}-${hash.digest('hex').slice(0, 12)}`);
  if (existsSync(done)) return done;
  const began = Date.now();
  console.error(`  preparing ${name} …`);
  const building = mkdtempSync(done + '.part-');
  await build(building);
  rmSync(done, { recursive: true, force: true });
  renameSync(building, done);
  console.error(`  prepared ${name} in ${((Date.now() - began) / 1000).toFixed(1)} s`);
  return done;
}
