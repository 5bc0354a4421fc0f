// What Apache's Java clients do in daily work, with the last 4.9 and the newest 5.x. The tests of a client run side by
// side: most of their time is waiting.
import { describe } from 'node:test';
import { connecting } from './features/connecting.ts';
import { consuming } from './features/consuming.ts';
import { offsets } from './features/offsets.ts';
import { queries } from './features/queries.ts';
import { reading } from './features/reading.ts';
import { retrying } from './features/retrying.ts';
import { sending } from './features/sending.ts';
import { Actor, Stage } from './stage.ts';

const stage = new Stage('features');

void describe('features', { concurrency: 2 }, () => {
  for (const library of ['java-4.9', 'java-5'] as const) {
    void describe(library, { concurrency: 10 }, () => {
      const actor = new Actor(stage, library);
      for (const feature of [retrying, connecting, sending, reading, consuming, offsets, queries]) feature(actor);
    });
  }
});
