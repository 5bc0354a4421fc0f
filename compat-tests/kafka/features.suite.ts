// What Java applications do with Kafka, with the last client of 3.x and the newest of 4.x. The tests of a client run side by
// side: much of their time is waiting.
import { describe } from 'node:test';
import { administering } from './features/administering.ts';
import { grouping } from './features/grouping.ts';
import { producing } from './features/producing.ts';
import { reading } from './features/reading.ts';
import { Actor, Stage } from './stage.ts';

const stage = new Stage('features');

void describe('features', { concurrency: 1 }, () => {
  for (const library of ['java-3', 'java-4'] as const) {
    void describe(library, { concurrency: 8 }, () => {
      const actor = new Actor(stage, library);
      grouping(actor, () => stage.another(library));
      for (const feature of [producing, reading, administering]) feature(actor);
    });
  }
});
