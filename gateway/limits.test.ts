// Every limit of an adapter has its name, default and description in the configuration's schema.
import { describe, expect, it } from 'vitest';
import { limitsOf } from '../adapters/amqp/limits.ts';
import { LIMITS, SETTINGS } from '../adapters/kafka/node.ts';
import { LIMITS as ROCKETMQ } from '../adapters/rocketmq/limits.ts';
import { settingByKey } from './config/settings.ts';

const OWN = { rocketmq: ROCKETMQ, kafka: { ...LIMITS, ...SETTINGS }, amqp: limitsOf({}) };
/** Told by the gateway, or fixed by the protocol. */
const ELSEWHERE = ['namespace', 'autoCreateTopics', 'frameBytesMin'];

describe('the configuration', () => {
  for (const [protocol, limits] of Object.entries(OWN)) {
    it(`names every limit of ${protocol} with the default that the adapter has`, () => {
      for (const [name, value] of Object.entries(limits)) {
        if (!ELSEWHERE.includes(name))
          expect([name, settingByKey.get(`${protocol}.${name}`)?.defaultValue]).toEqual([name, value]);
      }
    });
  }
});
