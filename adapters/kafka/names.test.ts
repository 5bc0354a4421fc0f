import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Verbs } from '../../core/verbs.ts';
import { spell, topicNamed, unspell } from './names.ts';

const KAFKA_NAME = /^[a-zA-Z0-9._-]{1,249}$/;

describe('topic names', () => {
  it('leaves legal names as they are and escapes the rest', () => {
    for (const name of ['orders', 'orders.v1', 'a_b-C.9', 'x..y', 'x..7c', '...', 'a'.repeat(249)]) {
      expect(spell(name)).toBe(name);
      expect(unspell(name)).toBe(name);
    }
    expect(spell('%RETRY%g')).toBe('..25RETRY..25g');
    expect(spell('größe')).toBe('gr..C3..B6..C3..9Fe');
    expect(spell('x..7C')).toBe('x..2E.7C');
    expect(spell('.')).toBe('..2E');
    expect(spell('..')).toBe('..2E..2E');
  });

  it('is reversible, legal and unique', () => {
    const name = fc.oneof(
      fc.string({ minLength: 1, maxLength: 30, unit: 'grapheme' }),
      fc
        .array(fc.constantFrom('.', '..', '..2E', '7C', 'h', '|', 'a', '%', '00', 'FF'), { minLength: 1, maxLength: 8 })
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(name, (one) => {
        const spelled = spell(one);
        expect(spelled).toMatch(KAFKA_NAME);
        // A name of many bytes is cut, and found again by asking for it: see below.
        fc.pre(!/\.\.h[0-9a-f]{32}$/.test(spelled));
        expect(unspell(spelled)).toBe(one);
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses what is no topic name', () => {
    for (const bad of ['', '.', '..', 'a b', 'a/b', 'ä', 'a'.repeat(250), '..41', 'x..C3', 'x..2E']) {
      expect(unspell(bad)).toBeNull();
    }
  });

  it('takes a spelling only for the one name that has it', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[.0-9A-Fh]{1,12}$/), (spelling) => {
        const name = unspell(spelling);
        if (name !== null) expect(spell(name)).toBe(spelling);
      }),
      { numRuns: 2000 },
    );
  });

  it('cuts names over the limit and finds their topics again', () => {
    const long = `${'ü'.repeat(120)}end`;
    const spelled = spell(long);
    expect(spelled).toMatch(KAFKA_NAME);
    expect(spelled).toHaveLength(249);
    expect(unspell(spelled)).toBeNull();
    const topic = { name: long };
    const broker = { topic: (_ns: string, name: string) => (name === long ? topic : null) };
    expect(topicNamed(broker as unknown as Verbs, 'default', spelled)).toBe(topic);
    expect(topicNamed(broker as unknown as Verbs, 'default', spell(`${long}x`))).toBeNull();
  });
});
