// From the system's errors to the three kinds that the log tells apart.
import { constants } from 'node:os';
import { DiskError, type DiskErrorKind } from '../../core/log/disk.ts';

const KINDS: Readonly<Record<string, DiskErrorKind>> = {
  // No space, no quota, and a file at the largest size allowed are the same to a publisher: nothing fits.
  ENOSPC: 'full',
  EDQUOT: 'full',
  EFBIG: 'full',
  ENOENT: 'missing',
  EEXIST: 'exists',
};

const CODE_BY_ERRNO = new Map(Object.entries(constants.errno).map(([code, errno]) => [errno as number, code]));

export function diskError(what: string, path: string, cause: unknown): DiskError {
  const { code, message } = cause as NodeJS.ErrnoException;
  return new DiskError(KINDS[code ?? ''] ?? 'io', `${what} ${path}: ${message}`, { cause });
}

/** The same for an error that crossed a thread as its number. */
export function diskErrorOfNumber(what: string, path: string, errno: number): DiskError {
  const code = CODE_BY_ERRNO.get(errno) ?? '';
  return new DiskError(KINDS[code] ?? 'io', `${what} ${path}: ${code === '' ? `error ${errno}` : code}`);
}
