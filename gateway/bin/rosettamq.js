#!/usr/bin/env node
// Entry of the command: plain JavaScript that the oldest supported Node can read. TypeScript runs directly from
// Node 24.12 on; on an older Node the same command starts again under the pinned one (an optional dependency).
// Invariant: the outer process ends exactly as the inner one did, with its exit code or by its signal.
import { spawn } from 'node:child_process';
import module from 'node:module';
import os from 'node:os';
import { fileURLToPath } from 'node:url';

const [major, minor] = process.versions.node.split('.').map(Number);

if (major > 24 || (major === 24 && minor >= 12)) {
  module.enableCompileCache?.();
  await import('../main.ts');
} else {
  const name = `node-${process.platform}-${process.arch}`;
  let node;
  try {
    node = module.createRequire(import.meta.url).resolve(`${name}/bin/node`);
  } catch {
    console.error(
      `rosettamq: Node ${process.versions.node} cannot run TypeScript, and the pinned Node (${name}) is not installed.\n` +
        'Run `npm ci` without --omit=optional (linux-x64 and linux-arm64), or use Node 24.12 or later.',
    );
    process.exit(1);
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'];
  for (const signal of forwarded) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`rosettamq: cannot start ${node}: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    for (const name of forwarded) process.removeAllListeners(name);
    process.kill(process.pid, signal);
    // Some signals do not end a process by themselves; a shell reports those as 128 + number.
    setTimeout(() => process.exit(128 + (os.constants.signals[signal] ?? 0)), 100);
  });
}
