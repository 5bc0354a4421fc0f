// What the gateway says about itself: one object, written by the launcher alone, read by health, metrics and the banner.
import packageJson from '../package.json' with { type: 'json' };

export const VERSION: string = packageJson.version;

/**
 * `starting`: recovery or binding is under way. `up`: clients are served. `stopping`: draining. `down`: the journal was
 * lost and is being opened again; every connection has been cut.
 */
type Phase = 'starting' | 'up' | 'stopping' | 'down';

export interface Status {
  phase: Phase;
  /** Why, for people. */
  detail: string;
  /** Recovery ended and every listener was bound once. */
  hasStarted: boolean;
  readonly flush: 'sync' | 'async';
}

export function newStatus(flush: 'sync' | 'async'): Status {
  return { phase: 'starting', detail: 'the log is being recovered', hasStarted: false, flush };
}
