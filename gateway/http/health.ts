// Health for probes: live (the process answers), ready (clients are served), started (recovery is over).
import type { Verbs } from '../../core/verbs.ts';
import { type Status, VERSION } from '../status.ts';
import { Answer, document, type Handler } from './operation.ts';

interface Health {
  status: Status['phase'];
  detail?: string;
  version: string;
  flush: Status['flush'];
  publishing?: 'accepted' | 'refused';
}

export function healthHandlers(status: Status, broker: Pick<Verbs, 'storageFull'>): Record<string, Handler> {
  const health = (): Health => {
    const { phase, detail, flush } = status;
    return { status: phase, ...(phase !== 'up' && { detail }), version: VERSION, flush };
  };
  const answer = (isGood: boolean, body: Health): Answer =>
    new Answer(isGood ? 200 : 503, 'application/json', JSON.stringify(body));
  return {
    healthLive: () => health(),
    // A full disk refuses publishers only; readers and acknowledgements go on, and they are what makes room again. So
    // it shows, but takes nobody out of service.
    healthReady: () =>
      answer(status.phase === 'up', { ...health(), publishing: broker.storageFull ? 'refused' : 'accepted' }),
    healthStarted: () => answer(status.hasStarted, health()),
    openapi: () => document,
  };
}
