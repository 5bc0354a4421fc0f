// The key under which secrets are sealed that must be known again: a file beside the data, not in it.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import type { Config } from './config/config.ts';
import { ConfigError } from './config/load.ts';

const BYTES_MIN = 32;

/** Null when none is configured. Throws ConfigError when the file cannot be used. */
export function readMasterKey(config: Config): Buffer | null {
  const file = config.security.masterKeyFile;
  if (file === null) return null;
  let content: Buffer;
  try {
    content = fs.readFileSync(file);
  } catch (cause) {
    throw new ConfigError([`security.masterKeyFile: cannot read ${file}: ${(cause as Error).message}`]);
  }
  if (content.length < BYTES_MIN) {
    throw new ConfigError([`security.masterKeyFile: ${file} has fewer than ${BYTES_MIN} bytes`]);
  }
  // Whatever the file holds (raw bytes, base64, a line's end), the key is its digest.
  return createHash('sha256').update(content).digest();
}
