/** Routing against a naive reading of the rules, its identities, its bounds. fast-check prints the seed of a failure. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Binding, Exchange, ExchangeType, Header, Message } from '../types.ts';
import { ROUTES_CACHED_MAX, Routing } from './routing.ts';

const NS = 'default';

function exchange(name: string, type: ExchangeType): Exchange {
  return { namespace: NS, name, type, durable: true, autoDelete: false, internal: false, extra: {} };
}

function binding(source: string, destination: string, routingKey = '', more: Partial<Binding> = {}): Binding {
  return {
    namespace: NS,
    source,
    destinationKind: 'queue',
    destination,
    routingKey,
    arguments: '',
    match: null,
    ...more,
  };
}

function toExchange(source: string, destination: string, routingKey = ''): Binding {
  return binding(source, destination, routingKey, { destinationKind: 'exchange' });
}

function header(name: string, value: string | null, type?: string): Header {
  const bytes = value === null ? null : Buffer.from(value);
  return type === undefined ? { name, value: bytes } : { name, value: bytes, type };
}

function withHeaders(...headers: Header[]): () => Message {
  return () => ({ body: null, key: null, tag: null, headers, timestampMs: 0 });
}

function routing(...rows: (Exchange | Binding)[]): Routing {
  const table = new Routing();
  for (const row of rows) {
    if ('source' in row) table.bind(row);
    else table.putExchange(row);
  }
  return table;
}

function routed(table: Routing, name: string, key: string, message: (() => Message) | null = null): string[] {
  return [...table.route(NS, table.exchange(NS, name)!, key, message)].sort();
}

/** The rule as it is told, with nothing clever: `#` tries every number of words. */
function patternFits(pattern: string[], words: string[]): boolean {
  if (pattern.length === 0) return words.length === 0;
  const [first, ...rest] = pattern as [string, ...string[]];
  if (first === '#') return words.some((_, n) => patternFits(rest, words.slice(n))) || patternFits(rest, []);
  return (
    words.length > 0 && (first === '*' || (first === words[0] && first !== '#')) && patternFits(rest, words.slice(1))
  );
}

const split = (text: string): string[] => (text === '' ? [] : text.split('.'));

describe('topic exchanges', () => {
  it.each([
    // AMQP 0-9-1 § 3.1.3.3 gives these three.
    ['*.stock.#', 'usd.stock', true],
    ['*.stock.#', 'eur.stock.db', true],
    ['*.stock.#', 'stock.nasdaq', false],
    ['#', '', true],
    ['*', '', false],
    ['', '', true],
    ['', 'a', false],
    ['*', 'a', true],
    ['*', 'a.b', false],
    ['a.*.b', 'a..b', true],
    ['a.*.b', 'a.b', false],
    ['a.#.b', 'a.b', true],
    ['#.#', '', true],
    ['#.*', '', false],
    ['*.#', '.', true],
    ['*.*', '.', true],
    ['a*', 'ab', false],
    ['a*', 'a*', true],
    ['*', '#', true],
    ['a', '*', false],
  ])('%j takes %j: %s', (pattern, key, fits) => {
    const table = routing(exchange('e', 'topic'), binding('e', 'q', pattern));
    expect(routed(table, 'e', key)).toEqual(fits ? ['q'] : []);
  });

  it('agrees with the naive reading, also while bindings come and go', () => {
    const word = fc.constantFrom('a', 'b', '', '*', '#', '#', '*');
    const pattern = fc.array(word, { maxLength: 5 }).map((words) => words.join('.'));
    const key = fc
      .array(fc.constantFrom('a', 'b', 'c', '', '*', '#'), { maxLength: 5 })
      .map((words) => words.join('.'));
    const change = fc.record({ pattern, queue: fc.nat(5), add: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 30 }),
        fc.array(key, { minLength: 1, maxLength: 8 }),
        (changes, keys) => {
          const table = routing(exchange('e', 'topic'));
          const rows = new Map<string, [string, string]>();
          for (const { pattern, queue, add } of changes) {
            const row = binding('e', `q${queue}`, pattern);
            if (add) table.bind(row);
            else table.unbind(row);
            if (add) rows.set(`${queue} ${pattern}`, [pattern, `q${queue}`]);
            else rows.delete(`${queue} ${pattern}`);
            for (const key of keys) {
              const expected = new Set<string>();
              for (const [pattern, queue] of rows.values())
                if (patternFits(split(pattern), split(key))) expected.add(queue);
              expect(routed(table, 'e', key)).toEqual([...expected].sort());
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('does not take longer than pattern times key, whatever the pattern', () => {
    const pattern = Array.from({ length: 60 }, () => '#.a').join('.');
    const table = routing(exchange('e', 'topic'), binding('e', 'q', `${pattern}.never`), binding('e', 'r', pattern));
    const from = performance.now();
    expect(routed(table, 'e', Array.from({ length: 120 }, () => 'a').join('.'))).toEqual(['r']);
    expect(performance.now() - from).toBeLessThan(500);
  });
});

describe('the other exchanges', () => {
  it('direct: by the whole key; fanout: whatever the key; a queue once', () => {
    const table = routing(
      exchange('d', 'direct'),
      exchange('f', 'fanout'),
      binding('d', 'q1', 'a'),
      binding('d', 'q2', 'a'),
      binding('d', 'q2', '#'),
      binding('f', 'q1', 'x'),
      binding('f', 'q1', 'y'),
      binding('f', 'q3'),
    );
    expect(routed(table, 'd', 'a')).toEqual(['q1', 'q2']);
    expect(routed(table, 'd', 'b')).toEqual([]);
    expect(routed(table, 'f', 'b')).toEqual(['q1', 'q3']);
  });

  it.each<[string, Binding['match'], Header[], boolean]>([
    ['nothing said', null, [], true],
    ['all of nothing', { mode: 'all', headers: [] }, [header('a', '1')], true],
    ['any of nothing', { mode: 'any', headers: [] }, [header('a', '1')], false],
    [
      'all, both there',
      { mode: 'all', headers: [header('a', '1'), header('b', '2')] },
      [header('b', '2'), header('a', '1')],
      true,
    ],
    ['all, one missing', { mode: 'all', headers: [header('a', '1'), header('b', '2')] }, [header('a', '1')], false],
    ['any, one there', { mode: 'any', headers: [header('a', '1'), header('b', '2')] }, [header('b', '2')], true],
    ['any, none there', { mode: 'any', headers: [header('a', '1')] }, [header('a', '2')], false],
    ['presence', { mode: 'all', headers: [header('a', null)] }, [header('a', 'whatever', 'I')], true],
    ['presence of another', { mode: 'all', headers: [header('a', null)] }, [header('b', '1')], false],
    ['the same bytes of another type', { mode: 'all', headers: [header('a', '1', 'I')] }, [header('a', '1')], false],
    ['the same type', { mode: 'all', headers: [header('a', '1', 'I')] }, [header('a', '1', 'I')], true],
    ['a value wanted, none there', { mode: 'any', headers: [header('a', '')] }, [header('a', null)], false],
    ['the second of two', { mode: 'all', headers: [header('a', '2')] }, [header('a', '1'), header('a', '2')], true],
  ])('headers: %s', (_name, match, headers, fits) => {
    const table = routing(exchange('h', 'headers'), binding('h', 'q', '', { match, arguments: 'x' }));
    expect(routed(table, 'h', 'ignored', withHeaders(...headers))).toEqual(fits ? ['q'] : []);
  });

  it('headers: asks for the message only when a binding looks at it, once, and remembers nothing', () => {
    const match = { mode: 'all' as const, headers: [header('a', '1')] };
    const table = routing(exchange('h', 'headers'), binding('h', 'all', '', { match: null }));
    const never = (): Message => {
      throw new Error('decoded');
    };
    expect(routed(table, 'h', '', never)).toEqual(['all']);
    table.bind(binding('h', 'some', '', { match, arguments: '1' }));
    table.bind(binding('h', 'more', '', { match, arguments: '2' }));
    let asked = 0;
    const message = (): Message => {
      asked++;
      return withHeaders(header('a', '1'))();
    };
    expect(routed(table, 'h', '', message)).toEqual(['all', 'more', 'some']);
    expect(asked).toBe(1);
    expect(routed(table, 'h', '', withHeaders())).toEqual(['all']);
    expect(routed(table, 'h', '', null)).toEqual(['all']);
  });
});

describe('exchanges bound to exchanges', () => {
  it('follows them with the same key, through circles, each queue once', () => {
    const table = routing(
      exchange('a', 'topic'),
      exchange('b', 'direct'),
      exchange('c', 'fanout'),
      toExchange('a', 'b', 'x.#'),
      toExchange('b', 'c', 'x.y'),
      toExchange('c', 'a'),
      toExchange('c', 'c'),
      toExchange('c', 'gone'),
      binding('a', 'qa', '#'),
      binding('b', 'qb', 'x.y'),
      binding('c', 'qc'),
      binding('c', 'qa'),
    );
    expect(routed(table, 'a', 'x.y')).toEqual(['qa', 'qb', 'qc']);
    expect(routed(table, 'a', 'x')).toEqual(['qa']);
    expect(routed(table, 'c', 'x.y')).toEqual(['qa', 'qb', 'qc']);
    expect(routed(table, 'c', 'z')).toEqual(['qa', 'qc']);
    table.deleteExchange(NS, 'c');
    expect(routed(table, 'a', 'x.y')).toEqual(['qa', 'qb']);
    expect(table.bindings(NS).map((row) => `${row.source}>${row.destination}`)).toEqual(['a>b', 'a>qa', 'b>qb']);
  });

  it('does not remember what a headers exchange behind it took part in', () => {
    const match = { mode: 'all' as const, headers: [header('a', '1')] };
    const table = routing(
      exchange('t', 'topic'),
      exchange('h', 'headers'),
      toExchange('t', 'h', 'x'),
      binding('h', 'q', '', { match }),
    );
    expect(routed(table, 't', 'x', withHeaders())).toEqual([]);
    expect(routed(table, 't', 'x', withHeaders(header('a', '1')))).toEqual(['q']);
    expect(routed(table, 't', 'x', withHeaders())).toEqual([]);
  });
});

describe('several routing keys', () => {
  it('are routed together: each queue once, and an alternate gets what none of them routes', () => {
    const table = routing(
      { ...exchange('d', 'direct'), alternate: 'rest' },
      exchange('rest', 'fanout'),
      binding('d', 'q1', 'a'),
      binding('d', 'q1', 'b'),
      binding('d', 'q2', 'b'),
      binding('rest', 'q3'),
    );
    const route = (...keys: string[]): string[] => [...table.route(NS, table.exchange(NS, 'd')!, keys, null)].sort();
    expect(route('miss', 'a')).toEqual(['q1']);
    expect(route('b', 'a', 'miss')).toEqual(['q1', 'q2']);
    expect(route('miss', 'too')).toEqual(['q3']);
  });

  it('are one message to an exchange that shares out', () => {
    const table = routing(exchange('h', 'hash'), ...['q1', 'q2', 'q3', 'q4'].map((q) => binding('h', q, '1')));
    const h = table.exchange(NS, 'h')!;
    const keys = Array.from({ length: 20 }, (_, n) => `k${n}`);
    expect(table.route(NS, h, keys, null)).toEqual(table.route(NS, h, 'k0', null));
  });
});

describe('alternates', () => {
  it('get nothing of what a binding takes, wherever that leads', () => {
    const table = routing(
      { ...exchange('f', 'fanout'), alternate: 'rest' },
      exchange('nowhere', 'direct'),
      exchange('rest', 'fanout'),
      toExchange('f', 'nowhere'),
      binding('rest', 'q'),
    );
    expect(routed(table, 'f', 'k')).toEqual([]);
  });

  it('that are no exchanges are told, each time the route comes to them', () => {
    const table = routing({ ...exchange('d', 'direct'), alternate: 'log' }, binding('d', 'q', 'k'));
    for (let n = 0; n < 2; n++) {
      expect(routed(table, 'd', 'other')).toEqual([]);
      expect(table.left).toEqual(['log']);
      expect(routed(table, 'd', 'k')).toEqual(['q']);
      expect(table.left).toEqual([]);
    }
  });
});

describe('what is remembered', () => {
  it('the same array until a binding changes, also for other keys that the same bindings take', () => {
    const table = routing(exchange('e', 'topic'), binding('e', 'q1', 'a.#'), binding('e', 'q2', '*.b'));
    const e = table.exchange(NS, 'e')!;
    const first = table.route(NS, e, 'a.b', null);
    expect(table.route(NS, e, 'a.b', null)).toBe(first);
    expect(table.route(NS, e, 'a.c', null)).toBe(table.route(NS, e, 'a.d.e', null));
    table.bind(binding('e', 'q3', 'a.b'));
    expect([...table.route(NS, e, 'a.b', null)].sort()).toEqual(['q1', 'q2', 'q3']);
    expect(first).toHaveLength(2);
  });

  it('no more than its bound, however many keys come', () => {
    const table = routing(exchange('e', 'topic'), binding('e', 'q', 'a.#'));
    const e = table.exchange(NS, 'e')!;
    const expected = table.route(NS, e, 'a', null);
    const { namespaces } = table as unknown as {
      namespaces: Map<string, { routes: Map<string, Map<string, unknown>> }>;
    };
    let largest = 0;
    for (let n = 0; n < 3 * ROUTES_CACHED_MAX; n++) {
      expect(table.route(NS, e, `a.${n}`, null)).toBe(expected);
      largest = Math.max(largest, namespaces.get(NS)!.routes.get('e')!.size);
    }
    expect(largest).toBe(ROUTES_CACHED_MAX);
  });

  it('nothing of what is gone', () => {
    const table = routing(exchange('e', 'topic'));
    for (let n = 0; n < 1000; n++) {
      table.bind(binding('e', `q${n}`, `k.${n}.#`));
      table.bind(binding('e', `q${n}`, '#'));
      expect(routed(table, 'e', `k.${n}`)).toEqual([`q${n}`]);
      table.removeDestination(NS, `q${n}`);
    }
    expect(table.bindings(NS)).toEqual([]);
    expect(routed(table, 'e', 'k.1')).toEqual([]);
    table.deleteExchange(NS, 'e');
    expect((table as unknown as { namespaces: Map<string, unknown> }).namespaces.size).toBe(0);
  });

  it('follows each of ten thousand bindings in time of its own', () => {
    const table = routing(exchange('e', 'topic'));
    const from = performance.now();
    for (let n = 0; n < 10_000; n++) {
      table.bind(binding('e', `q${n}`, `k.${n}`));
      expect(table.route(NS, table.exchange(NS, 'e')!, `k.${n}`, null)).toEqual([`q${n}`]);
    }
    for (let n = 0; n < 10_000; n++) table.removeDestination(NS, `q${n}`);
    expect(table.bindings(NS)).toEqual([]);
    expect(performance.now() - from).toBeLessThan(5000);
  });
});

describe('rows', () => {
  it('a binding is the same when source, destination, key and arguments are', () => {
    const table = routing(exchange('e', 'direct'), binding('e', 'q', 'k'), binding('e', 'q', 'k'));
    table.bind(binding('e', 'q', 'k', { arguments: 'x' }));
    table.bind(toExchange('e', 'q', 'k'));
    expect(table.bindingsOf(NS, 'e')).toHaveLength(3);
    table.unbind(binding('e', 'q', 'k'));
    expect(routed(table, 'e', 'k')).toEqual(['q']);
    table.unbind(binding('e', 'q', 'k', { arguments: 'x' }));
    expect(routed(table, 'e', 'k')).toEqual([]);
    table.unbind(binding('e', 'q', 'k'));
    table.unbind(binding('none', 'q', 'k'));
    expect(table.bindingsOf(NS, 'e')).toHaveLength(1);
  });

  it('keeps namespaces apart', () => {
    const table = routing(exchange('e', 'fanout'), binding('e', 'q'));
    table.putExchange({ ...exchange('e', 'fanout'), namespace: 'other' });
    expect(table.route('other', table.exchange('other', 'e')!, '', null)).toEqual([]);
    expect(table.exchange('third', 'e')).toBe(null);
    table.deleteExchange('other', 'e');
    expect(table.exchanges(NS)).toHaveLength(1);
    expect(routed(table, 'e', '')).toEqual(['q']);
  });

  it('makes itself again from its events', () => {
    const match = { mode: 'any' as const, headers: [header('a', '1')] };
    const table = routing(
      exchange('t', 'topic'),
      exchange('h', 'headers'),
      toExchange('t', 'h', '#'),
      binding('h', 'q', '', { match }),
      binding('log', 'q2', 'a'),
    );
    const again = new Routing();
    for (const event of table.events()) {
      if (event.k === 'exchange') again.putExchange(event.row);
      else if (event.k === 'bind') again.bind(event.row);
      else throw new Error(event.k);
    }
    expect([...again.events()]).toEqual([...table.events()]);
    expect(routed(again, 't', '', withHeaders(header('a', '1')))).toEqual(['q']);
  });
});

describe('log topics', () => {
  it('have no routes, then topic rules without a row, and the rules of the row when there is one', () => {
    const table = new Routing();
    expect(table.topicRoutes(NS, 'orders')).toBe(null);
    table.bind(binding('orders', 'all', '#'));
    const whole = table.topicRoutes(NS, 'orders')!;
    expect([whole.whole, whole.perRecord]).toEqual([['all'], false]);
    expect(whole.route('anything', null)).toBe(whole.whole);
    expect(table.topicRoutes(NS, 'orders')).toBe(whole);
    table.bind(binding('orders', 'eu', 'eu.*'));
    const mixed = table.topicRoutes(NS, 'orders')!;
    expect([mixed.whole, mixed.perRecord]).toEqual([['all'], true]);
    expect([...mixed.route('eu.1', null)].sort()).toEqual(['all', 'eu']);
    expect(mixed.route('us.1', null)).toEqual(['all']);
    table.putExchange(exchange('orders', 'fanout'));
    const fanout = table.topicRoutes(NS, 'orders')!;
    expect([[...fanout.whole].sort(), fanout.perRecord]).toEqual([['all', 'eu'], false]);
    table.putExchange(exchange('orders', 'direct'));
    expect(table.topicRoutes(NS, 'orders')).toMatchObject({ whole: [], perRecord: true });
    expect(table.topicRoutes(NS, 'orders')!.route('eu.*', null)).toEqual(['eu']);
    table.removeDestination(NS, 'all');
    table.removeDestination(NS, 'eu');
    expect(table.topicRoutes(NS, 'orders')).toBe(null);
  });

  it('take whole what a # leads to through exchanges, and look inside when one of them chooses', () => {
    const table = routing(
      exchange('f', 'fanout'),
      exchange('d', 'direct'),
      exchange('h', 'headers'),
      toExchange('orders', 'f', '#.#'),
      binding('f', 'q1', 'x'),
      toExchange('f', 'h'),
      binding('h', 'q2', '', { match: { mode: 'all', headers: [] } }),
    );
    expect(table.topicRoutes(NS, 'orders')).toMatchObject({ whole: ['q1', 'q2'], perRecord: false });
    table.bind(toExchange('f', 'd'));
    table.bind(binding('d', 'q3', 'k'));
    const routes = table.topicRoutes(NS, 'orders')!;
    expect(routes).toMatchObject({ whole: ['q1', 'q2'], perRecord: true });
    expect([...routes.route('k', null)].sort()).toEqual(['q1', 'q2', 'q3']);
  });

  it('by headers: whole only where nothing is asked', () => {
    const match = { mode: 'any' as const, headers: [header('a', null)] };
    const table = routing(exchange('t', 'headers'), binding('t', 'q1'), binding('t', 'q2', '', { match }));
    const routes = table.topicRoutes(NS, 't')!;
    expect(routes).toMatchObject({ whole: ['q1'], perRecord: true });
    expect([...routes.route('', withHeaders(header('a', 'x')))].sort()).toEqual(['q1', 'q2']);
    expect(routes.route('', withHeaders())).toEqual(['q1']);
  });
});
