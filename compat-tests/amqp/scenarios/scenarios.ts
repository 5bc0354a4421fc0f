// All scenarios. Names are unique: differences and what is not built yet are told by them.
import type { Scenario } from '../scene.ts';
import { access } from './access.ts';
import { channels } from './channels.ts';
import { connection } from './connection.ts';
import { consuming } from './consuming.ts';
import { delays } from './delays.ts';
import { exchanges } from './exchanges.ts';
import { expiry } from './expiry.ts';
import { publishing } from './publishing.ts';
import { queues } from './queues.ts';

export const SCENARIOS: readonly Scenario[] = [
  ...connection,
  ...channels,
  ...queues,
  ...exchanges,
  ...publishing,
  ...consuming,
  ...expiry,
  ...access,
  ...delays,
];
