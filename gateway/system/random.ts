// Random bytes from the system.
import { randomFillSync } from 'node:crypto';
import type { Random } from '../../core/types.ts';

export const systemRandom: Random = { bytes: (target) => randomFillSync(target) };
