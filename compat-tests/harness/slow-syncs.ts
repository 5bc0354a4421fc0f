// Loaded into a Node process before anything else (NODE_OPTIONS): every sync of a file takes longer by what the file
// named in COMPAT_SLOW_SYNCS says at that moment, "from to" in milliseconds, chosen at random between. A sync on the loop
// stops the loop for so long, as it would on such a disk. One byte for each sync that has ended is added to that file's
// `.count`.
import fs, { appendFileSync, readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const file = process.env['COMPAT_SLOW_SYNCS'] ?? '';
const sleeper = new Int32Array(new SharedArrayBuffer(4));

function delayMs(): number {
  let text = '0 0';
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    // Not slow yet.
  }
  const [from = 0, to = 0] = text.split(' ').map(Number);
  return from + Math.random() * (to - from);
}

function slow(sync: (fd: number) => void): (fd: number) => void {
  return (fd) => {
    const ms = delayMs();
    if (ms > 0) Atomics.wait(sleeper, 0, 0, ms);
    sync(fd);
    appendFileSync(`${file}.count`, '.');
  };
}

if (file !== '') {
  fs.fsyncSync = slow(fs.fsyncSync);
  fs.fdatasyncSync = slow(fs.fdatasyncSync);
  const { fsync } = fs;
  const slowly = (fd: number, done: fs.NoParamCallback): void => {
    setTimeout(
      () =>
        fsync(fd, (error) => {
          appendFileSync(`${file}.count`, '.');
          done(error);
        }),
      delayMs(),
    );
  };
  fs.fsync = Object.assign(slowly, { __promisify__: fsync.__promisify__ });
  syncBuiltinESMExports();
}
